"""zddeploy exec: a command beside the app."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import complete, options
from zdd.deploy.inside import inside
from zdd.errors import ZddError
from zdd.host.command import become

_CANNOT_START = 127  # as a shell has it: no exit code of the command's own


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("service", shell_complete=complete.services)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@options.common
def command(service: str, words: tuple[str, ...], conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Run a command in the live release, as its app is run.

    With its environment, user and folder; the exit code is passed on.

    \b
    Examples:
      zddeploy exec web -- .venv/bin/python manage.py shell
      zddeploy exec web -- env
      zddeploy exec web -- sh -c 'pwd; ls'
    """
    argv = words[1:] if words[0] == "--" else words
    if not argv:
        raise click.UsageError("Missing argument '-- COMMAND...'.")
    there = inside(options.site_of(conf, verbose, as_json, looks_only=True), service)
    try:
        become(argv, there)
    except OSError as error:
        failure = ZddError(f"cannot run {argv[0]!r} in {there.cwd}: {error.strerror}")
        failure.exit_code = _CANNOT_START
        raise failure from error
