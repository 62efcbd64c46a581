"""Everything a deploy works on, in one hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zdd.conf.schema import Config
from zdd.deploy.fleet import Fleet
from zdd.deploy.front import Front
from zdd.deploy.interrupts import Interrupts
from zdd.deploy.report import Report
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.places import Places
from zdd.switch.tables import Tables


@dataclass(frozen=True)
class Site:
    """A project on this machine: what was asked for, its files, its instances, its proxy, and who is told."""

    config: Config
    places: Places
    tables: Tables
    fleet: Fleet
    front: Front
    report: Report
    interrupts: Interrupts
    clock: Clock


def open_site(config: Config, report: Report, tell: Callable[[str], None] | None = None) -> Site:
    """
    Put the parts together; touches nothing.

    `tell` is given every command that is run. Raises UsageError where the places cannot be this project's.
    """
    places, commands, clock, interrupts = Places(config), Commands(tell), Clock(), Interrupts()
    places.check()
    front = Front(config, places, commands, clock)
    fleet = Fleet(config, places, commands, clock, report, interrupts, front.access)
    return Site(config, places, Tables(places), fleet, front, report, interrupts, clock)
