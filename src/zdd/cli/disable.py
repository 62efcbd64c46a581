"""zddeploy disable: nothing at boot any more."""

from __future__ import annotations

import os
from pathlib import Path

import click

from zdd.cli.enable import require_root, run
from zdd.conf import read
from zdd.host import files
from zdd.host.command import Commands
from zdd.operate import boot, boot_unit


@click.command("disable")
@click.option("--user", metavar="NAME", help="Whose project it is, if not the owner's of the configuration.")
@click.option("-c", "--conf", type=click.Path(path_type=Path), help="Configuration file.")
def command(user: str | None, conf: Path | None) -> int:
    r"""
    Undo `zddeploy enable`; with sudo.

    What serves goes on serving until the next boot.

    \b
    Example:
      sudo zddeploy disable
    """
    config = read.load(read.find(conf, Path.cwd()))
    owner = boot.user_of(config, user)
    require_root(config, "disable")
    boot.check_unit(config, owner)
    commands = Commands()
    for piece in boot.pieces(config, owner, boot_unit.program()):
        if os.path.exists(piece.path):
            for argv in piece.before_removal:
                run(argv, commands)
            files.remove(piece.path)
            for argv in piece.after_removal:
                run(argv, commands)
            click.echo(f"removed {piece.path}")
    if owner.pw_uid and boot.lingering(owner):
        # Not done here: it would end all that the user runs, what serves now included.
        click.echo(
            f"{owner.pw_name} still lingers; once nothing of theirs runs: loginctl disable-linger {owner.pw_name}"
        )
    click.secho(f"{config.project} does not come up at boot any more", fg="green")
    return 0
