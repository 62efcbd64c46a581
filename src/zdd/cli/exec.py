"""zddeploy exec: a command beside the app."""

from __future__ import annotations

import os

import click

from zdd.cli import complete, options
from zdd.errors import ZddError
from zdd.host.command import Surroundings, become
from zdd.host.own_process import die_of
from zdd.operate.exec_context import inside
from zdd.project import Project

_CANNOT_START = 127  # as a shell has it: no exit code of the command's own


@options.command("exec", "looks", context_settings={"allow_interspersed_args": False})
@click.argument("service", shell_complete=complete.services)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(project: Project, service: str, words: tuple[str, ...], as_json: bool) -> int:  # noqa: ARG001
    r"""
    Run a command in the live release, as its app is run.

    With its environment, user and folder; the exit code is passed on. As another user than you, it gets a terminal of
    its own: what it runs can neither read nor type at yours.

    \b
    Examples:
      zddeploy exec web -- .venv/bin/python manage.py shell
      zddeploy exec web -- env
      zddeploy exec web -- sh -c 'pwd; ls'
    """
    argv = words[1:] if words[0] == "--" else words
    if not argv:
        raise click.UsageError("Missing argument '-- COMMAND...'.")
    there = inside(project, service)
    try:
        return _run(argv, there)
    except OSError as error:
        failure = ZddError(f"cannot run {argv[0]!r} in {there.cwd}: {error.strerror}")
        failure.exit_code = _CANNOT_START
        raise failure from error


def _run(argv: tuple[str, ...], there: Surroundings) -> int:
    if there.who.uid in (None, os.geteuid()):
        become(argv, there)
    from zdd.host import pseudo_terminal  # here, because nobody else needs it

    status = pseudo_terminal.run(argv, there)
    if status < 0:
        die_of(-status)
    return status
