"""The demo: five deploys, one of them broken, while clients keep calling."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable

import click

from zdd.demo.figures import Deploy, Figures
from zdd.demo.project import SERVICE, Project
from zdd.demo.stage import Stage
from zdd.deploy.interrupts import Interrupts
from zdd.errors import ZddError
from zdd.load import Kind, Load, Progress, Spec
from zdd.proxy import binary

RELEASES = (2, 3, 4, 5, 6)
BROKEN = 4

_MIX = (Kind(weight=60), Kind("POST", "/echo", body=1024, weight=38), Kind(path="/slow", weight=2))
_RATE, _CONNECTIONS, _WEBSOCKETS = 400, 32, 4  # what two slow cores bear with ease
_PAUSE = 1.8  # seconds of undisturbed load around each deploy
_POLL = 0.1


class FirstDeployFailed(ZddError):
    """Nothing could be shown: not even the first release could be deployed."""


def play(stage: Stage) -> Figures:
    """
    Play the whole demo, and leave nothing behind, however it ends.

    Raises ZddError when it is interrupted (Ctrl-C, SIGTERM) or cannot be played.
    """
    nginx = binary.find(None, None)
    interrupts = Interrupts()
    with interrupts.caught():
        with Project() as project:
            _introduce(stage, project, ".".join(map(str, nginx.version)))
            first = _deploy(stage, project, 1, interrupts.check)
            if not first.done:
                raise _failure(first)
            deploys, load = [], Load(_spec(project))
            with load:
                ...
