"""Why a git repository could not be fetched: the line that says it, and what to do about it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from zdd.claims import user_name
from zdd.errors import ProgramFailed

_GENERAL = "fatal: Could not read from remote repository."  # git's last words; ssh has said why before
_NOTED = re.compile("Warning: Permanently added|remote: (Enumerating|Counting|Compressing)")
_SSH_URL = re.compile(r"(?:git\+)?ssh://(?P<host>[^/:]+|[^/]*\[[^]]*\])(?::(?P<port>[0-9]+))?/")
_SCP_LIKE = re.compile(r"(?P<host>[^/:]+):")
_CURES = (  # what the line says, and what to do; {ssh} connects as git does, {host} is the host
    (
        "^Host key for .* has changed",
        "if the host was reinstalled, `ssh-keygen -R {known}` forgets its old key, and `{ssh}` accepts the new one",
    ),
    (
        "^Host key verification failed",
        "{user} does not know the host's key: run `{ssh}` once as {user} and accept it, or"
        " `ssh-keyscan {scan} >> ~/.ssh/known_hosts`",
    ),
    ("^Permissions .* for .* are too open", "ssh does not use such a key: `chmod 600` it, then try `{ssh}` as {user}"),
    (
        r"Permission denied \(|Too many authentication failures",
        "the host accepts no key that {user} has: give it a public key of {user}'s (~/.ssh/*.pub; `ssh-keygen` makes"
        " one, without a passphrase), until `{ssh}` works as {user}",
    ),
    (
        "could not read (Username|Password)|Authentication failed|terminal prompts disabled",
        "zddeploy asks nobody: let {user} have a credential helper of git's, or use ssh with a key of {user}'s",
    ),
    ("[Rr]epository .*not found|not appear to be a git repo", "correct source, or let the server give access to it"),
    ("Could not resolve host", "correct the host in source, or repair the DNS of this machine"),
    (
        "Connection refused|timed out|No route to host|is unreachable|Connection reset|closed by remote host",
        "see whether the host is up and its port is right: `{ssh}`",
    ),
    ("unable to access", "see whether that host answers from here, and whether git needs a proxy (http.proxy)"),
    (r"cannot run (\S*/)?ssh\b", "install ssh (openssh-client)"),
)


def fetch_failed(shown: str, source: str, output: str, log: str, what: str = "fetch") -> ProgramFailed:
    """Return the error to raise for git's output; `shown` is the source without a password, `log` has the output."""
    lines = [without_password(line) for line in output.splitlines() if line.strip()]
    reason = gist(lines)
    cure = None
    for pattern, words in _CURES:
        if found := next((line for line in lines if re.search(pattern, line)), None):
            reason, cure = found.strip(), words.format_map(_names(source))
            break
    return ProgramFailed(f"cannot {what} {shown}: {reason}", lines, log, hint=cure)


def gist(output: Sequence[str]) -> str:
    """Return the line of git's output with the reason."""
    lines = [line for line in output if line.strip() and not _NOTED.match(line)]
    if _GENERAL in lines[1:]:
        lines = lines[: lines.index(_GENERAL)]
    reasons = [line for line in lines if re.match("(remote: )?(fatal|error):", line, re.IGNORECASE)]
    return without_password((reasons or lines[-1:] or ["no reason given"])[0])


def without_password(text: str) -> str:
    """Return the text with no name and no password in URLs."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def _names(source: str) -> dict[str, str]:
    """Return what the cures name; of a source without ssh there is no host."""
    match = _SSH_URL.match(source) or _SCP_LIKE.match(source)
    login = match["host"] if match else "HOST"
    port = match.groupdict().get("port") if match else None
    host = login.rpartition("@")[2]
    option = f"-p {port} " if port else ""
    known = f'"[{host}]:{port}"' if port and port != "22" else host
    who = user_name(os.geteuid())
    return {"ssh": f"ssh -T {option}{login}", "scan": f"{option}{host}", "known": known, "user": who}
