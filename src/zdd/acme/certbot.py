"""certbot as a program: where it is, whether it is new enough, and how to request one certificate."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from zdd.acme import failure
from zdd.acme.lineage import Folders
from zdd.errors import UsageError
from zdd.host.command import Commands, Result, cannot_run, which

OLDEST = (1, 12)  # the first with elliptic keys and all options below; Debian 11 has it
INSTALL = "pip install 'zddeploy[https]'"
PATIENCE = 300.0  # seconds for one certificate: authorities queue orders

_KEPT_LOGS = "20"
# A cli.ini of the system's certbot holds here, too, where options do not say otherwise. What its certificates need,
# such as a reload of another server, must not be done for those of zdd.
_OURS = (
    "--authenticator=webroot",
    "--preferred-challenges=http",
    "--no-directory-hooks",
    "--pre-hook=",
    "--post-hook=",
    "--deploy-hook=",
)

Run = Callable[[Sequence[str]], Result]
"""Runs a command line, and returns how it ended."""


class Account(NamedTuple):
    """An account with an authority: the URL of the authority's directory, and the contact address."""

    server: str
    email: str | None

    @property
    def options(self) -> list[str]:
        """The options by which certbot uses this account."""
        who = [f"--email={self.email}", "--no-eff-email"] if self.email else ["--register-unsafely-without-email"]
        return ["--agree-tos", f"--server={self.server}", *who]


class Certbot(NamedTuple):
    """The command that runs certbot, and its version."""

    argv: Sequence[str]
    version: tuple[int, ...]

    def issue(self, host: str, account: Account, folders: Folders, run: Run) -> str | None:
        """
        Obtain a new certificate for the host, in its lineage; return None, or certbot's output if it failed.

        Raises OSError.
        """
        folders.make(host)
        how = ["--non-interactive", "--force-renewal", "--key-type=ecdsa", f"--max-log-backups={_KEPT_LOGS}"]
        which_one = [f"--cert-name={host}", f"--domain={host}", f"--webroot-path={folders.webroot}"]
        return _failed(run([*self.argv, "certonly", *how, *_OURS, *which_one, *account.options, *folders.options]))

    def tell_email(self, account: Account, folders: Folders, run: Run) -> str | None:
        """Change the account's contact address; return None, or certbot's output if it failed."""
        how = ["--non-interactive", f"--max-log-backups={_KEPT_LOGS}"]
        return _failed(run([*self.argv, "update_account", *how, *account.options, *folders.options]))


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
        raise UsageError(f"{argv[0]} does not work: {failure.summary(printed)}", hint=f"once: {INSTALL}")
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


def _failed(result: Result) -> str | None:
    return None if result.status == 0 else result.output
