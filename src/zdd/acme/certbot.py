"""certbot as a program: where it is, whether it is new enough, and how it is asked for one certificate."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from zdd.acme.lineage import Folders
from zdd.errors import UsageError
from zdd.host.command import Commands, cannot_run, which

OLDEST = (1, 12)  # the first with elliptic keys and all options below; Debian 11 has it
INSTALL = "pip install 'zddeploy[https]'"
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

_PATIENCE = 300.0  # seconds for one certificate: authorities queue orders
_KEPT_LOGS = "20"


class Certbot(NamedTuple):
    """The command that runs certbot, and its version."""

    argv: Sequence[str]
    version: tuple[int, ...]


def find(commands: Commands) -> Certbot:
    """
    Return the certbot beside our Python, else the one of PATH. Nothing of it is imported.

    Raises UsageError if there is none, or only one that is too old.
    """
    argv = _argv()
    if argv is None:
        raise UsageError('https = "auto" needs certbot, which is not installed', hint=f"once: {INSTALL}")
    try:
        printed = commands.run([*argv, "--version"]).output
    except OSError as error:
        raise UsageError(cannot_run(argv[0], error), hint=f"once: {INSTALL}") from error
    if not (found := re.search(r"certbot (\d+)\.(\d+)", printed)):
        raise UsageError(f"{' '.join(argv)} does not work: {printed.strip()[-200:]}", hint=f"once: {INSTALL}")
    version = (int(found[1]), int(found[2]))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(f"{argv[0]} is certbot {version[0]}.{version[1]}; zdd needs {oldest}", hint=f"once: {INSTALL}")
    return Certbot(argv, version)


def is_there() -> bool:
    """Return whether there is a certbot, without running it."""
    return _argv() is not None


def _argv() -> list[str] | None:
    """Return the command of the certbot beside our Python, else of PATH; None if there is none."""
    beside = os.path.join(os.path.dirname(sys.executable), "certbot")
    if found := which(beside):
        return [found]
    if importlib.util.find_spec("certbot"):  # looks for the folder, and imports nothing
        return [sys.executable, "-c", "import sys; from certbot.main import main; sys.exit(main())"]
    found = which("certbot")
    return [found] if found else None


def ask(
    certbot: Certbot,
    folders: Folders,
    name: str,
    server: str,
    email: str | None,
    commands: Commands,
    interrupt: Callable[[], None],
) -> str | None:
    """
    Have a new certificate for the name put into its lineage; return None, or what certbot printed when it failed.

    The environment is ours, so that REQUESTS_CA_BUNDLE and a proxy hold for certbot, too. `interrupt` may raise; then
    certbot is killed. Raises OSError.
    """
    folders.make(name)
    who = [f"--email={email}", "--no-eff-email"] if email else ["--register-unsafely-without-email"]
    argv = [
        *certbot.argv,
        "certonly",
        "--non-interactive",
        "--agree-tos",
        "--webroot",
        "--force-renewal",
        "--key-type=ecdsa",
        "--no-directory-hooks",
        f"--max-log-backups={_KEPT_LOGS}",
        f"--server={server}",
        f"--cert-name={name}",
        f"--domain={name}",
        *who,
        *folders.options(),
    ]
    result = commands.run(argv, cwd=folders.root, timeout=_PATIENCE, interrupt=interrupt)
    return None if result.status == 0 else result.output
