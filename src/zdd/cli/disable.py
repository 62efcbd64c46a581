"""zddeploy disable: undo `zddeploy enable`."""

from __future__ import annotations

import os

import click

from zdd.cli import options
from zdd.cli.enable import require_root, run
from zdd.conf.schema import Config
from zdd.events import Events, Result
from zdd.host import files
from zdd.host.command import Commands
from zdd.operate import boot, boot_unit, renewal_timer, rotation_timer


@options.command("disable", "configures")
@click.option("--user", metavar="NAME", help="The project's user, if that is not the configuration's owner.")
def command(config: Config, events: Events, user: str | None) -> int:
    r"""
    Undo `zddeploy enable` (needs sudo).

    What serves now keeps serving until the next boot. Where only the timer rotates nginx's access log, nginx no longer
    logs requests.

    \b
    Example:
      sudo zddeploy disable
    """
    owner = boot.user_of(config, user)
    require_root(config, "disable")
    boot.check_unit(config, owner)
    commands = Commands(events.command)
    pieces = boot.pieces(config, owner, boot_unit.program())
    for timer in (renewal_timer, rotation_timer):  # a timer before the service that it starts
        pieces += reversed(timer.all_pieces(config, owner, boot_unit.program()))
    for piece in pieces:
        if os.path.exists(piece.path):
            run(piece.before_removal, commands)
            files.remove(piece.path)
            run(piece.after_removal, commands)
            events.notice(f"removed {piece.path}")
    if owner.pw_uid and boot.lingering(owner):
        # This is left to the user: it would end all processes of the user, also those that serve now.
        name = owner.pw_name
        events.notice(f"{name} still lingers; once {name} runs nothing: loginctl disable-linger {name}")
    events.send(Result(text=f"{config.project} no longer starts at boot"))
    return 0
