"""zddeploy disable: undo `zddeploy enable`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from zdd.cli import options
from zdd.cli.enable import require_root, run
from zdd.events import Command, Result
from zdd.host import files
from zdd.host.command import Commands
from zdd.operate import boot, boot_unit


@click.command("disable")
@click.option("--user", metavar="NAME", help="The project's user, if that is not the configuration's owner.")
@options.common
def command(user: str | None, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Undo `zddeploy enable` (needs sudo).

    What serves now keeps serving until the next boot.

    \b
    Example:
      sudo zddeploy disable
    """
    config, events = options.configuration_of(conf, verbose, as_json)
    owner = boot.user_of(config, user)
    require_root(config, "disable")
    boot.check_unit(config, owner)
    commands = Commands(lambda text: events.send(Command(text=text)))
    for piece in boot.pieces(config, owner, boot_unit.program()):
        if os.path.exists(piece.path):
            for argv in piece.before_removal:
                run(argv, commands)
            files.remove(piece.path)
            for argv in piece.after_removal:
                run(argv, commands)
            events.notice(f"removed {piece.path}")
    if owner.pw_uid and boot.lingering(owner):
        # This is left to the user: it would end all processes of the user, also those that serve now.
        name = owner.pw_name
        events.notice(f"{name} still lingers; once {name} runs nothing: loginctl disable-linger {name}")
    text = f"{config.project} no longer starts at boot"
    events.send(Result(outcome="done", cause=None, exit=0, text=text))
    return 0
