"""zddeploy exec: run a command in an app's context."""

from __future__ import annotations

import os

import click

from zdd.cli import completion, options
from zdd.errors import ZddError
from zdd.host import pseudo_terminal
from zdd.host.command import become
from zdd.host.own_process import die_of
from zdd.operate.exec_context import surroundings
from zdd.project import Project

_CANNOT_START = 127  # as shells do; not an exit code of the command


@options.command("exec", "looks", context_settings={"allow_interspersed_args": False})
@click.argument("service", shell_complete=completion.services)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(project: Project, service: str, argv: tuple[str, ...]) -> int:
    r"""
    Run a command in the live release, like its app.

    The command gets the app's environment, user and folder; its exit code is passed on. If it runs as another user, it
    gets its own terminal, so it can neither read your terminal nor type into it.

    \b
    Examples:
      zddeploy exec web -- .venv/bin/python manage.py shell
      zddeploy exec web -- env
      zddeploy exec web -- sh -c 'pwd; ls'
    """
    argv = argv[1:] if argv[0] == "--" else argv
    if not argv:
        raise click.UsageError("Missing argument '-- COMMAND...'.")
    there = surroundings(project, service)
    try:
        if there.who.uid in (None, os.geteuid()):
            become(argv, there)
        status = pseudo_terminal.run(argv, there)
    except OSError as error:
        failure = ZddError(f"cannot run {argv[0]!r} in {there.cwd}: {error.strerror}")
        failure.exit_code = _CANNOT_START
        raise failure from error
    if status < 0:
        die_of(-status)
    return status
