"""zdd's own challenge: before an authority requests a file by the name, zdd requests one itself."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zdd.acme.failure import Failure
from zdd.conf.check_tls import CHALLENGES
from zdd.host import files
from zdd.host.clock import Clock
from zdd.instances.health.request import Answer, NotHttp
from zdd.nginx import client
from zdd.nginx.config.listen import Visit

_PORT = 80  # where an authority asks (RFC 8555, section 8.3)
_PATIENCE = 5.0  # seconds for each address
_REDIRECTS = 5  # that are followed; authorities follow ten
_SILENT = (socket.EAI_AGAIN, socket.EAI_FAIL)  # of a DNS that says neither yes nor no
_NO_WAY = "this machine has no way to"
_WAYLESS = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # the last two, where IPv6 is switched off
_ETC_HOSTS = "where a router does not lead this machine back to itself, a line `127.0.0.1 {}` in /etc/hosts does"


class _Found(NamedTuple):
    """The answer at one address; `problem` is None if it was our own file."""

    address: str
    problem: str | None
    answered: bool = False


def failure(
    name: str, webroot: str, ports: Sequence[int], clock: Clock, proxy_protocol: bool = False
) -> Failure | None:
    """
    Return why a file in `webroot` cannot be fetched by the name; None if it can.

    The name is resolved as this machine does it. `ports` are those that our nginx listens on. Every server that
    answers must be our nginx; an address without an answer is no failure if another address answers, because an
    authority tries both. With `proxy_protocol` nginx answers only what comes through a proxy.

    Raises OSError if the file cannot be written.
    """
    try:
        addresses = _addresses(name)
    except OSError as error:
        return _unresolved(name, error)
    with file(webroot) as (token, text):
        answers = [_ask(name, address, token, text, ports, clock) for address in addresses]
    if wrong := next((answer for answer in answers if answer.problem and answer.answered), None):
        cause = f"{name} leads to another server: {wrong.address} {wrong.problem}"
        hint = f"let the A and AAAA records of {name} name this machine only; then deploy again"
        if proxy_protocol:
            cause = f"{name} leads to {wrong.address}, which {wrong.problem}"
            hint = f"{_proxied(name)}, and its checks must have found nginx; then deploy again"
        return Failure("name", cause, hint)
    if any(answer.problem is None for answer in answers):
        return None
    cause = f"{name} leads to {', '.join(f'{answer.address}, which {answer.problem}' for answer in answers)}"
    hint = f"port {_PORT} must be open, and {name} must name this machine; {_ETC_HOSTS.format(name)}"
    if all(":" in answer.address and _NO_WAY in str(answer.problem) for answer in answers):
        hint = f"give {name} an A record, or this machine IPv6; then deploy again"
    return Failure("name", cause, _proxied(name) if proxy_protocol else hint)


def _unresolved(name: str, error: OSError) -> Failure:
    """Return the failure of a name that has no address, or of a DNS that does not say whether it has one."""
    why = error.strerror or error
    if error.errno in _SILENT:
        hint = f"look at this machine's network and its /etc/resolv.conf, and at the DNS of {name}; then deploy again"
        return Failure("name", f"the DNS does not answer for {name}: {why}", hint)
    hint = f"give {name} an A or AAAA record that names this machine; then deploy again"
    return Failure("name", f"{name} has no address: {why}", hint)


def _proxied(name: str) -> str:
    return f"with proxy_protocol {name} must name the proxy, and port {_PORT} there must lead to this machine"


def _addresses(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@contextlib.contextmanager
def file(webroot: str) -> Iterator[tuple[str, str]]:
    """Write a challenge that nobody can guess; yield its path in an URL and its text."""
    token, text = f"zdd-{os.urandom(16).hex()}", os.urandom(16).hex()
    folder = webroot + CHALLENGES
    files.make_folder(folder.rstrip("/"), 0o755)
    try:
        files.write(folder + token, text, mode=0o644)
        yield CHALLENGES + token, text
    finally:
        files.remove(folder + token)


def _ask(name: str, address: str, token: str, text: str, ports: Sequence[int], clock: Clock) -> _Found:
    """Ask an address at port 80, and if nobody listens there where our nginx listens: a router may lead there."""
    problem = ""
    for port in dict.fromkeys([_PORT, *([] if _PORT in ports else ports)]):
        try:
            answer = _followed(Visit(name, (address, port), name, token), clock)
        except TimeoutError:
            problem = problem or f"does not answer on port {port}"
        except NotHttp as error:
            return _Found(address, f"does not speak HTTP on port {port}: {error}", answered=True)
        except OSError as error:
            what = _NO_WAY if error.errno in _WAYLESS else f"refuses port {port}"
            problem = problem or f"{what}: {error.strerror or error}"
        else:
            if answer.status == 200 and answer.excerpt == text:
                return _Found(address, None, answered=True)
            to = f" to {answer.location}" if answer.location else ""
            return _Found(address, f"answers {answer.status}{to} on port {port}, not our file", answered=True)
    return _Found(address, problem)


def _followed(visit: Visit, clock: Clock) -> Answer:
    """
    Return the answer at the end of the redirects that a visit meets; of one that leads nowhere, the redirect itself.

    An authority follows them, too, and accepts any certificate on the way. Raises as client.ask does.
    """
    answer = client.ask(visit, clock, _PATIENCE)
    for _ in range(_REDIRECTS):
        try:
            if (onward := _onward(visit, answer)) is None:
                break
            answer, visit = client.ask(onward, clock, _PATIENCE), onward
        except (OSError, ValueError, NotHttp):  # an unknown name, no URL, nobody there
            break
    return answer


def _onward(visit: Visit, answer: Answer) -> Visit | None:
    """Return the visit that a redirect leads to, None if it is none. Raises OSError and ValueError."""
    if answer.status not in (301, 302, 303, 307, 308) or not answer.location:
        return None
    here = f"{'https' if visit.tls else 'http'}://{visit.host}{visit.path}"
    there = urllib.parse.urlsplit(urllib.parse.urljoin(here, answer.location))
    if there.scheme not in ("http", "https") or not there.hostname:
        return None
    tls = there.scheme == "https"
    same = there.hostname == urllib.parse.urlsplit(here).hostname
    address = visit.address[0] if same else _addresses(there.hostname)[0]
    path = there.path + (f"?{there.query}" if there.query else "")
    return Visit(visit.service, (address, there.port or (443 if tls else _PORT)), there.netloc, path or "/", tls)
