"""The report of a bug in zdd: everything that helps to fix it goes to a file, whose path is shown."""

from __future__ import annotations

import itertools
import os
import platform
import shlex
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zdd import __version__, secret
from zdd.errors import ZddError

if TYPE_CHECKING:
    from zdd.project import Project

_EVENTS = 60  # lines of the last deploy's log


def report(error: ZddError, argv: Sequence[str]) -> None:
    """Write the report, and add its path, and what serves now, to the error."""
    about = f"zddeploy {__version__}, Python {sys.version.split()[0]}, {platform.platform()}\n$ {shlex.join(argv)}"
    parts = [about, "".join(traceback.format_exception(error))]
    folders = [os.environ.get("TMPDIR", "/tmp")]
    try:
        from zdd.claims import home_of

        folders.insert(0, home_of(os.geteuid()))
        from zdd.conf import show
        from zdd.deploy.outcome import now_serving
        from zdd.host import files

        project = _project(argv)
        events = files.tail(project.paths.deploy_log(project.paths.last_logged_deploy()), _EVENTS)
        parts += ["\n".join(show.toml(show.sections(project.config, {}))), "\n".join(events)]
        error.now_serving = error.now_serving or now_serving(project)
        if os.path.isdir(project.paths.logs):
            folders.insert(0, project.paths.logs)
    except Exception as problem:  # there may be no project, or it is what is broken
        parts.append(f"nothing is known of the project: {problem!r}")
    path = _write(secret.hide("\n\n".join(parts)) + "\n", folders)
    hint = f"please report it, with {path} (secrets are hidden in it)" if path else "and no report of it can be written"
    error.hint = f"{error.hint}\n  {hint}" if error.hint else hint


def _project(argv: Sequence[str]) -> Project:
    """Open the project that the command named."""
    from zdd.conf import read
    from zdd.events import Events
    from zdd.project import open_project

    named = [after for option, after in itertools.pairwise(argv) if option in ("-c", "--conf")]
    named += [word.partition("=")[2] for word in argv if word.startswith("--conf=")]
    conf = Path(named[0]) if named else None
    return open_project(read.load(read.find(conf, read.here(conf))), Events(), only_looks=True)


def _write(text: str, folders: Sequence[str]) -> str | None:
    """Write a file into the first of the folders where that works; return its path."""
    for folder in folders:
        path = f"{folder}/bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        try:
            os.makedirs(folder, mode=0o755, exist_ok=True)
            with open(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
                "w",
                encoding="utf-8",
                errors="backslashreplace",
            ) as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None
