"""Settings that are valid one by one but contradict each other. Every function raises UsageError."""

import re
import shlex
from collections.abc import Iterable, Mapping

from zdd.conf import hosts
from zdd.conf.document import Document
from zdd.conf.schema import NAME, NAME_RULE, ClassicService, NginxSection, RunService, Service

TEMPLATE_SUFFIX = ".template"

_TAKEN = {
    "nginx_pid_filename": "in templates it stands for nginx's pid file",
    "deploy": "deploys' own logs have that name",
}
_PLACEHOLDERS = {"socket": "unix", "fd": "fd", "port": "tcp"}  # and the value of `socket` that fills each
_NEED_A_SOCKET = ("host", "path", "health_path", "health_status", "health_host")
_OWN_TEXT_ONLY = ("listen", "server_name", "client_max_body_size")


def classic_name(document: Document, section: str, name: str) -> None:
    """Check the name of a classic service: any file name is valid."""
    if not name or name in (".", "..") or re.search("[/\n\0]", name):
        raise document.error(section, f'"{name}" cannot name a service; it must be a file name without /')


def run_name(document: Document, section: str, name: str) -> None:
    """Check the name of a service with run."""
    if not re.fullmatch(NAME, name):
        raise document.error(section, f'"{name}" cannot name a service, which takes {NAME_RULE}')
    if name in _TAKEN:
        raise document.error(section, f"{name} cannot name a service; {_TAKEN[name]}")


def run_service(document: Document, section: str, service: RunService) -> None:
    """Check one service with run."""
    setting = document.setting
    try:
        argv = shlex.split(service.run)
    except ValueError as error:
        reason = str(error).lower()
        raise document.error(section, f"{setting('run', service.run)} cannot be split into words: {reason}") from None
    if not argv or not argv[0]:
        raise document.error(section, f"{setting('run', service.run)} names no program")
    if service.socket == "none":
        without = f"and {setting('socket', 'none')} exclude each other: such a service has no connections"
        _require_unset(document, section, _NEED_A_SOCKET, without)
    if service.order == "stop-first":
        _stop_first(document, section, service)
    if service.health_command and service.health_path:
        raise document.error(
            section, "health_command and health_path exclude each other: a service has one health check"
        )
    if service.runtime == "node" and service.socket != "fd":
        node, way = setting("runtime", "node"), setting("socket", "fd")
        raise document.error(section, f"{node} needs {way}, but here is {setting('socket', service.socket)}")
    _placeholders(document, section, service)


def _stop_first(document: Document, section: str, service: RunService) -> None:
    order = document.setting("order", service.order)
    if service.socket not in ("fd", "none"):
        way = document.setting("socket", service.socket)
        raise document.error(section, f"{order} needs a socket that can hold requests: fd, but here is {way}")
    if document.sections[section].get("keep_warm") and service.keep_warm:
        raise document.error(section, f"keep_warm and {order} exclude each other: the old version has stopped")


def _placeholders(document: Document, section: str, service: RunService) -> None:
    texts = {"run": service.run} | {f"env {key}": value for key, value in service.env.items()}
    for word, way in _PLACEHOLDERS.items():
        where = next((where for where, text in texts.items() if "{" + word + "}" in text), None)
        if where and service.socket != way:
            needed, given = document.setting("socket", way), document.setting("socket", service.socket)
            raise document.error(section, f"{{{word}}} in {where} needs {needed}, but here is {given}")
        if word == "socket" and service.socket == way and not where:
            raise document.error(section, f"{document.setting('socket', way)} needs {{socket}} in run or env")


def nginx(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> None:
    """Check [nginx], and what the services need from it."""
    classic = next((name for name, service in services.items() if isinstance(service, ClassicService)), None)
    missing = [key for key in ("template", "pid_file") if getattr(nginx, key) is None]
    if classic is not None and missing:
        raise document.error("nginx", f"needs {' and '.join(missing)}, because service {classic} has start")
    if nginx.template and nginx.include:
        raise document.error("nginx", "template and include exclude each other: with include zdd runs no nginx")
    if nginx.include and not nginx.reload:
        raise document.error("nginx", "include needs reload, the command that reloads that nginx")
    for key in ("reload", "test"):
        if getattr(nginx, key) and not nginx.include:
            raise document.error("nginx", f"{key} goes with include; zdd tests and reloads its own nginx itself")
    owner = "template" if nginx.template else "include" if nginx.include else None
    if not owner:
        _listens(document, nginx)
        _routes(document, services)
        _holds(document, nginx, services)
        return
    if "nginx" not in document.classic:
        _require_unset(document, "nginx", _OWN_TEXT_ONLY, f"has no effect with {owner}; set it in that server block")
    for name, service in services.items():
        if isinstance(service, RunService):
            routed = f"has no effect with {owner} in [nginx], which does the routing"
            _require_unset(document, document.service_prefix + name, ("host", "path"), routed)
    if nginx.template:
        _template(document, nginx)


def _template(document: Document, nginx: NginxSection) -> None:
    path = str(nginx.template)
    if not path.removesuffix(TEMPLATE_SUFFIX) or not path.endswith(TEMPLATE_SUFFIX):
        setting = document.setting("template", path)
        raise document.error("nginx", f"{setting} is not allowed; its name must end with {TEMPLATE_SUFFIX}")
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise document.error("nginx", f"cannot read template {path}: {error.strerror}") from None


def _require_unset(document: Document, section: str, keys: Iterable[str], why: str) -> None:
    """Raise UsageError if the section has one of these keys."""
    for key in keys:
        if key in document.sections.get(section, {}):
            raise document.error(section, f"{key} {why}")


def _holds(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> None:
    """Check that requests wait less long than nginx waits for an answer: after that it answers 504."""
    for name, service in services.items():
        waits = isinstance(service, RunService) and service.order == "stop-first" and service.hold_max
        if waits >= nginx.proxy_read_timeout:
            what = f"hold_max ({waits:g} s) must be less than proxy_read_timeout in [nginx]"
            raise document.error(document.service_prefix + name, f"{what} ({nginx.proxy_read_timeout:g} s)")


def _listens(document: Document, nginx: NginxSection) -> None:
    seen: dict[str, str] = {}
    for address in nginx.listen:
        host, _, port = address.rpartition(":")
        place = f"{'' if host in ('*', '0.0.0.0') else host}:{int(port)}"
        if place in seen:
            raise document.error("nginx", f"{document.setting('listen', address)} repeats {seen[place]}; leave it out")
        seen[place] = address


def _routes(document: Document, services: Mapping[str, Service]) -> None:
    taken: dict[tuple[str, str], str] = {}
    for name, service in services.items():
        if not isinstance(service, RunService) or service.socket == "none":
            continue
        for host in [each for given in service.host for each in hosts.meant(given)] or [""]:
            other = taken.setdefault((host, service.path), name)
            if other != name:
                where = f"{host or 'every host'}, path {service.path}"
                what = f"has the same route as service {other}: {where}; give one of them another host or path"
                raise document.error(document.service_prefix + name, what)
