"""What an answer to a health request means, and what usually mends a bad one."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from zdd.conf import hosts
from zdd.conf.kinds import ProtocolName
from zdd.conf.services import RunService, Service
from zdd.conf.units import Statuses
from zdd.instances.health.request import Answer

_SHOWN = 200  # characters of a Location
HAS_A_LOG = "the app can say why in its log; Django, with DEBUG off, does so if LOGGING has a console handler"
_NO_LOGIN = "else health_path must name a path that needs no login"
_HAS_NO = "the app has no %s, and health_path must name a path that it has"
# What frameworks answer to a host that they do not serve: Rails, Django, Starlette, Flask, Vite, ASP.NET.
_NAMES_HOST = r"(?i)blocked host|invalid (?:http_)?host|disallowedhost|allowed_?hosts|host\b.{0,60}not allowed"


class Health(Struct, frozen=True):
    """A healthy instance: on which port it listens (None with a UNIX socket), and what to note, if anything."""

    port: int | None
    notice: str


class Verdict(Struct, frozen=True):
    """
    Whether one attempt found the instance healthy.

    `words` say why not, or what the yes rests on. `hint` may fix a no. `taken` says that the app accepted the
    connection.
    """

    healthy: bool
    words: str
    hint: str | None = None
    taken: bool = True


class Asked(msgspec.Struct):
    """How an instance's health is checked, by the names of the settings."""

    health_path: str | None
    health_status: Statuses
    health_host: str
    health_command: str | None
    protocol: ProtocolName = "http"

    @classmethod
    def by(cls, service: RunService) -> Asked:
        """Return how the health of this service's instances is checked."""
        host, command = host_of(service), service.health_command
        return cls(service.health_path, service.health_status, host, command, service.protocol)


def host_of(service: Service) -> str:
    """Return the Host header of the health request: health_host, else the first name routed to it, else localhost."""
    return service.health_host or hosts.asked([name for name in service.host if "*" not in name]) or "localhost"


def judge(answer: Answer, service: Service) -> Verdict:
    """Compare the answer with `health_status`; without a `health_path` any status under 500 is healthy."""
    path = service.health_path or "/"
    said = f"GET {path} was answered {answer.status}" + (
        f" (Location: {answer.location[:_SHOWN]})" if answer.location else ""
    )
    if service.health_path is None and answer.status < 500:
        return Verdict(True, f"no health_path set: {said}, taken as healthy")
    if service.health_path and service.health_status.allows(answer.status):
        return Verdict(True, "")
    wanted = f", wanted {service.health_status}" if service.health_path else ""
    excerpt = f": {answer.excerpt}" if answer.excerpt else ""
    return Verdict(False, f"{said}{wanted}{excerpt}", _advice(answer, path, service))


def _advice(answer: Answer, path: str, service: Service) -> str | None:
    """Return what usually fixes such an answer."""
    host = host_of(service)
    wants_host = f"health_host must be one of them (now {host})" if service.health_host else "set health_host"
    asked = f"asked was http://{host}{path} (Host: {host})"
    match answer.status:
        case status if status >= 400 and re.search(_NAMES_HOST, answer.excerpt):
            return f"{asked}, and the app serves other hosts only: {wants_host}"
        case 400 | 421:
            return f"{asked}: where an app serves certain hosts only (Django's ALLOWED_HOSTS), {wants_host}"
        case 401:
            return f"{asked}: health_path must name a path that needs no login"
        case 403:
            return f"{asked}: where an app blocks unknown hosts (Rails' config.hosts), {wants_host}; {_NO_LOGIN}"
        case 404:
            return f"{asked}: {_HAS_NO % path}; where an app serves several sites by their hosts, {wants_host}"
        case 500:
            return HAS_A_LOG
        case status if answer.location:
            return _redirected(answer.location, status, path, host)
        case status if 400 <= status < 500:
            return asked
    return None


def _redirected(location: str, status: int, path: str, host: str) -> str:
    from urllib.parse import urlsplit  # imported here: most deploys never need it

    try:
        target = urlsplit(location[:_SHOWN])
    except ValueError:  # such as http://[bad/
        return (
            f"the app redirects to {location[:80]!r}, which is no URL: health_path must name a path without a redirect"
        )
    if target.hostname not in (None, host):
        return f'it was asked as {host!r} and wants another name: health_host = "{target.hostname}"'
    if target.path not in ("", path):
        return f"health_path must name a path that answers by itself, perhaps {target.path}"
    return (
        "the health request says X-Forwarded-Proto: https, and the app ignores it: let the app trust that header, "
        f'or set health_status = "200-299,{status}"'
    )
