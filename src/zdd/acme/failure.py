"""Why there is no new certificate: one cause, derived from certbot's output."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from zdd.acme.answer import NO_ANSWER, Answer

Kind = Literal[
    "name",
    "refused",
    "limited",
    "authority",
    "trust",
    "clock",
    "account",
    "disk",
    "busy",
    "missing",
    "certbot",
    "nginx",
]

ABOUT_THE_NAME = ("name", "refused", "limited")  # another name may fare better; with all others, none will

_PROBLEM = re.compile(r"Type: +(?P<type>\w+)\s+Detail: (?P<detail>.+)")
_UNTIL = re.compile(r"retry after (\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)")
_NOISE = re.compile(r"(?i)ask for help|see the logfile|saving debug log|please see|some challenges have failed|hint: ")
_UNREACHED = (
    "Connection refused",
    "Name or service not known",
    "Temporary failure in name resolution",
    "timed out",
    "Network is unreachable",
    "No route to host",
    "Connection reset",
)
# The kinds of error (RFC 8555) by which an order for a name is refused, not its challenge; and certbot's words.
_OF_THE_NAME = (
    r"acme:error:(rejectedIdentifier|unsupportedIdentifier|caa|dns|dnssec|connection|tls|unknownHost)\b",
    "will not issue certificates for the identifier",
    r"CAA\) records forbid the CA",
)
_OF_THE_ACCOUNT = (
    "invalidEmail",
    "invalidContact",
    "unsupportedContact",
    "externalAccountRequired",
    "external account binding",
    "userActionRequired",
    "accountDoesNotExist",
    "account that does not exist",
    "Account is not valid",
)
_NO_ACCOUNT = "Unable to register an account"  # also if the authority cannot be reached
_IPV6 = re.compile(r"\[?(?=[^ ]*:[^ ]*:)[0-9a-fA-F:.]+\]?: ")  # how an authority begins what it says of an address
_LONGEST = 300  # characters of certbot's words
_AGAIN = "then `zddeploy certificates renew`"
_BY_ITSELF = "zdd tries again later by itself"


class Failure(NamedTuple):
    """
    Why a certificate could not be obtained. `kind` is one of a closed list (JSON).

    `until` is the time (as of time.time()) before which the authority refuses another try; None if it names none.
    """

    kind: Kind
    cause: str
    hint: str
    until: float | None = None


class _Said(NamedTuple):
    """
    What certbot has printed for a name, the authority's host and answer, and what this machine's clock showed.

    `root` is the folder of certbot's own folders.
    """

    output: str
    name: str
    host: str
    root: str
    now: float
    answer: Answer

    @property
    def until(self) -> float | None:
        """The time before which the authority refuses another try; None if it names none."""
        return _until(self.output) or self.answer.until


def of(output: str, name: str, server: str, root: str, now: float, answer: Answer = NO_ANSWER) -> Failure:
    """
    Return the cause, from certbot's output when it failed for the name; `now` is this machine's clock.

    `root` is the folder of certbot's own folders, `answer` the authority's last one, of which certbot prints a part.
    """
    said = _Said(output, name, re.sub(r"^https?://([^/]*).*", r"\1", server), root, now, answer)
    for kind, pattern, make in _CAUSES:
        if re.search(pattern, f"{output}\n{answer.text}", re.IGNORECASE):
            return Failure(kind, *make(said), said.until if kind in ("limited", "authority") else None)
    return Failure("certbot", f"certbot failed: {summary(output)}", f"the log in {root}/logs has more; {_AGAIN}")


def summary(output: str) -> str:
    """Return the line of certbot's output that says what happened."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    unexpected = [number for number, line in enumerate(lines[:-1]) if line.startswith("An unexpected error")]
    line = lines[unexpected[-1] + 1] if unexpected else lines[-1] if lines else "it has printed nothing"
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."


def utc(moment: float) -> str:
    """Return a time as people write it, in UTC."""
    return f"{datetime.datetime.fromtimestamp(moment, datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _until(output: str) -> float | None:
    """Return the time, in UTC, before which the authority refuses another try; None if it names none."""
    if not (found := _UNTIL.search(output)):
        return None
    moment = datetime.datetime.fromisoformat(found[1].replace(" ", "T"))
    return moment.replace(tzinfo=datetime.UTC).timestamp()


def _disk(_: _Said) -> tuple[str, str]:
    return "the disk is full: certbot could not write its files", f"make room, {_AGAIN}"


def _busy(_: _Said) -> tuple[str, str]:
    return "another certbot works in the same folder", "it may be that of a zddeploy that was killed: wait for its end"


def _limited(said: _Said) -> tuple[str, str]:
    when = f"after {utc(said.until)}" if said.until else "later"
    hint = f"zdd tries again {when} by itself; for trials an authority has a staging server (acme_server)"
    return f"{said.host} limits how often it is asked: {summary(said.output)}", hint


def _refused(said: _Said) -> tuple[str, str]:
    problem = _PROBLEM.search(said.output)
    kind, detail = (problem["type"], problem["detail"].strip()) if problem else ("", summary(said.output))
    return (
        f"{said.host} could not verify {said.name}: {detail[:_LONGEST]}",
        f"{_way_out(said, kind, detail)}; {_AGAIN}",
    )


def _way_out(said: _Said, kind: str, detail: str) -> str:
    """Return what to do about a name that an authority could not verify."""
    if kind == "connection" and _IPV6.match(detail):
        return (
            "the authority asks by IPv6, at the name's AAAA record: that must be this machine, port 80 open there, and "
            'nginx must listen there, as it does with listen = "80"; or take that record away'
        )
    return {
        "dns": f"{said.name} needs an A or AAAA record, in the public DNS, that names this machine",
        "dnssec": f"the DNSSEC signatures of {said.name} are wrong: look at them where its DNS is",
        "connection": f"port 80 of {said.name} must be open from everywhere: look at firewalls before this machine",
        "unauthorized": f"another machine answers for {said.name}: look at its A and AAAA records",
        "caa": f"the CAA record of {said.name} allows other authorities only: add one for this authority",
    }.get(kind, f"look at what {said.host} says")


def _rejected(said: _Said) -> tuple[str, str]:
    what = f"{said.host} issues nothing for {said.name}: {summary(said.output)}"
    if "CAA" in said.output or said.answer.kind == "acme:error:caa":
        return what, f"{_way_out(said, 'caa', '')}; {_AGAIN}"
    return what, f"look whether host is spelt right, and at the DNS of {said.name}; {_AGAIN}"


def _clock(said: _Said) -> tuple[str, str]:
    cause = f"the certificate of {said.host} is not valid at {utc(said.now)}, which is what this machine's clock shows"
    return cause, f"set the clock (`timedatectl`) if it is wrong, {_AGAIN}"


def _trust(said: _Said) -> tuple[str, str]:
    hint = "for an authority of your own, REQUESTS_CA_BUNDLE must name the file with its root certificate"
    return f"certbot does not trust the certificate of {said.host}", hint


def _account(said: _Said) -> tuple[str, str]:
    output = f"{said.output}\n{said.answer.kind}"
    if re.search("external ?account", output, re.IGNORECASE):
        hint = "write the eab-kid and eab-hmac-key that you have from it into /etc/letsencrypt/cli.ini"
    elif re.search("account ?that does not exist|accountDoesNotExist|Account is not valid", output, re.IGNORECASE):
        hint = f"it has lost or closed the account: remove {said.root}/config/accounts, and it gets a new one"
    else:
        hint = "look at acme_email in [nginx]"
    return f"{said.host} gives no account: {summary(said.output)}", f"{hint}, {_AGAIN}"


def _broken(said: _Said) -> tuple[str, str]:
    status = re.search(r"<Response \[(5\d\d)\]>|status (5\d\d)", f"{said.output}\n{said.answer.text}")
    what = f"answers with status {status[1] or status[2]}" if status else f"fails: {summary(said.output)}"
    return f"the authority {said.host} {what}", _BY_ITSELF


def _slow(said: _Said) -> tuple[str, str]:
    return f"the authority {said.host} is slow: it has not issued the certificate in time", _BY_ITSELF


def _away(said: _Said) -> tuple[str, str]:
    why = next((text for text in _UNREACHED if text.lower() in said.output.lower()), summary(said.output))
    hint = f"this machine must get to {said.host}: look at its network, its DNS and its proxy; {_BY_ITSELF}"
    return f"the authority {said.host} cannot be reached: {why}", hint


# The first one that matches is the cause: what a full disk or a limit brings about looks like other things, too.
_CAUSES: tuple[tuple[Kind, str, Callable[[_Said], tuple[str, str]]], ...] = (
    ("disk", r"No space left on device|Disk quota exceeded", _disk),
    ("busy", r"Another instance of Certbot is already running", _busy),
    (
        "limited",
        r"rateLimited|too many (requests|certificates|failed|new|currently)|<Response \[429\]>|status 429",
        _limited,
    ),
    ("refused", r"Type: +\w+\s+Detail: ", _refused),
    ("refused", "|".join(_OF_THE_NAME), _rejected),
    ("clock", r"certificate (is not yet valid|has expired)", _clock),
    ("trust", r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", _trust),
    ("account", "|".join(_OF_THE_ACCOUNT), _account),
    ("authority", r"<Response \[5\d\d\]>|status 5\d\d|serverInternal|internal error|Service busy", _broken),
    ("authority", r"badNonce|anti-replay nonce", _broken),
    ("authority", r"\(killed: not done after|acme\.errors\.TimeoutError", _slow),
    ("authority", r"ConnectionError|ConnectTimeout|ReadTimeout|NewConnectionError|Timeout|Errno 11[013]\b", _away),
    ("account", _NO_ACCOUNT, _account),
)
