"""zddeploy enable: start the project at every boot."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pwd import struct_passwd

import click

from zdd.cli import options
from zdd.conf.schema import Config
from zdd.errors import UsageError, ZddError
from zdd.events import Events, Plan, Result
from zdd.host import files, systemd
from zdd.host.command import Commands
from zdd.operate import boot, boot_unit, renewal_timer, rotation_timer
from zdd.operate.boot import Piece


@options.command("enable", "configures")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--user", metavar="NAME", help="The project's user, if that is not the configuration's owner.")
def command(config: Config, events: Events, dry_run: bool, user: str | None) -> int:
    r"""
    Start the project at every boot (once, with sudo).

    Shows the files that it writes and the commands that it runs: a unit that starts the last good release; for a user's
    project also the folder of its sockets, lingering, and sudo for testing and reloading nginx. With https = "auto" a
    timer renews the certificates. Without a service that has `run` a timer rotates nginx's logs, and nginx begins to
    log requests.

    \b
    Examples:
      zddeploy enable --dry-run
      sudo zddeploy enable
    """
    owner = boot.user_of(config, user)
    boot.check_free(config, owner)
    needed = boot.pieces(config, owner, boot_unit.program())
    for timer in (renewal_timer, rotation_timer):
        needed += timer.pieces(config, owner, boot_unit.program())
    if not systemd.runs():
        raise UsageError("this machine does not run systemd: let its init system run `zddeploy up` at boot")
    for piece in needed:
        _show(piece, events)
    if not boot.lingering(owner):
        events.send(Plan(step="run", text=f"$ loginctl enable-linger {owner.pw_name}"))
    starts = boot_unit.start_command(config) if boot_unit.needs_low_ports(config, owner) else None
    if starts:  # nobody else may start an nginx of theirs
        events.send(Plan(step="run", text=f"$ {' '.join(starts)}"))
    for refused in boot.refused(config):
        events.notice(f"zdd does not allow this command, so decide yourself: sudo {' '.join(refused)}")
    for warning in boot.changeable(config, owner, boot_unit.program()):
        events.notice(warning)
    if dry_run:
        return 0
    require_root(config, "enable")
    _do(needed, owner, Commands(events.command))
    if starts:
        _start(starts, Commands(events.command))
    events.send(Result(text=f"{config.project} starts at boot as {owner.pw_name}; checked"))
    return 0


def require_root(config: Config, name: str) -> None:
    """Raise UsageError unless we run as root."""
    if os.geteuid() != 0:
        raise UsageError(
            f"only root may {name} a project", hint=f"sudo {' '.join(boot_unit.program())} -c {config.path} {name}"
        )


def run(argvs: Iterable[list[str]], commands: Commands) -> None:
    """Run commands one after the other. Raises ZddError with the output of one that fails."""
    for argv in argvs:
        try:
            result = commands.run(argv)
        except OSError as error:
            raise ZddError(f"cannot run {argv[0]}: {error.strerror}") from error
        if result.status != 0:
            output = " ".join(result.output.split()) or f"status {result.status}"
            raise ZddError(f"`{' '.join(argv)}` failed: {output}", hint="`zddeploy disable` undoes what was done")


def _show(piece: Piece, events: Events) -> None:
    text = "\n".join([f"{piece.path}:", *(f"      {line}".rstrip() for line in piece.text.splitlines())])
    events.send(Plan(step="write", text=text))
    for argv in piece.after:
        events.send(Plan(step="run", text=f"$ {' '.join(argv)}"))


def _do(needed: list[Piece], user: struct_passwd, commands: Commands) -> None:
    for piece in needed:
        if piece.test:
            _test(piece, commands)
        files.write(piece.path, piece.text, piece.mode, sync=True)
        run(piece.after, commands)
    if not boot.lingering(user):
        run([["loginctl", "enable-linger", user.pw_name]], commands)
    for piece in needed:
        run(piece.proof, commands)
    if not boot.lingering(user):
        raise ZddError(f"loginctl enable-linger {user.pw_name} had no effect")


def _start(argv: list[str], commands: Commands) -> None:
    try:
        run([argv], commands)
    except ZddError as failed:
        failed.hint = f"`journalctl -u {argv[-1]}` says why; {failed.hint}"
        raise


def _test(piece: Piece, commands: Commands) -> None:
    staged = f"/run/zdd-{os.getpid()}.test"
    try:
        files.write(staged, piece.text, piece.mode)
        run([[*piece.test, staged]], commands)
    finally:
        files.remove(staged)
