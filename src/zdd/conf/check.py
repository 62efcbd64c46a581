"""Settings that are valid one by one but contradict each other. Every function yields all the errors it finds."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping

from zdd.conf import check_clients, check_log, check_tls, hosts
from zdd.conf.document import Document
from zdd.conf.nginx_section import NginxSection
from zdd.conf.refusals import Refusal, shown_in_line
from zdd.conf.schema import NAME, NAME_RULE
from zdd.conf.services import ClassicService, RunService, Service
from zdd.host import foreign

TEMPLATE_SUFFIX = ".template"

_TAKEN = {
    "nginx_pid_filename": "in templates it stands for nginx's pid file",
    "deploy": "deploys' own logs have that name",
}
_PLACEHOLDERS = {"socket": "unix", "fd": "fd", "port": "tcp"}  # and the value of `socket` that fills each
_NEED_A_SOCKET = ("host", "path", "protocol", "sticky", "health_path", "health_status", "health_host")
_OWN_TEXT_ONLY = ("listen", "server_name", "client_max_body_size", *check_clients.OWN_TEXT_ONLY)


def classic_name(document: Document, section: str, name: str) -> Iterator[Refusal]:
    """Check the name of a classic service: any file name is valid."""
    if not name or name in (".", "..") or re.search("[/\n\0]", name):
        yield document.error(
            section, f'"{shown_in_line(name, 77)}" cannot name a service; it must be a file name without /'
        )


def run_name(document: Document, section: str, name: str) -> Iterator[Refusal]:
    """Check the name of a service with run."""
    if not re.fullmatch(NAME, name):
        yield document.error(section, f'"{shown_in_line(name, 77)}" cannot name a service, which takes {NAME_RULE}')
    if name in _TAKEN:
        yield document.error(section, f"{name} cannot name a service; {_TAKEN[name]}")


def run_service(document: Document, section: str, service: RunService) -> Iterator[Refusal]:
    """Check one service with run."""
    setting = document.setting
    yield from _words(document, section, service)
    if service.socket == "none":
        without = f"and {setting('socket', 'none')} exclude each other: such a service has no connections"
        yield from _unset(document, section, _NEED_A_SOCKET, without)
    if service.order == "stop-first":
        yield from _stop_first(document, section, service)
    if service.health_command and service.health_path:
        what = "health_command and health_path exclude each other: a service has one health check"
        yield document.error(section, what, key="health_command")
    if service.runtime == "node" and service.socket != "fd":
        node, way = setting("runtime", "node"), setting("socket", "fd")
        what = f"{node} needs {way}, but here is {setting('socket', service.socket)}"
        yield document.error(section, what, key="runtime")
    if service.protocol == "grpc":
        grpc = f"has no effect with {setting('protocol', 'grpc')}, whose health is asked by grpc.health.v1.Health"
        yield from _unset(document, section, ("health_path", "health_status"), f"{grpc}, or by health_command")
    yield from _placeholders(document, section, service)


def _words(document: Document, section: str, service: RunService) -> Iterator[Refusal]:
    setting = document.setting("run", service.run)
    try:
        argv = shlex.split(service.run)
    except ValueError as error:
        yield document.error(section, f"{setting} cannot be split into words: {str(error).lower()}", key="run")
        return
    if not argv or not argv[0]:
        yield document.error(section, f"{setting} names no program", key="run")


def _stop_first(document: Document, section: str, service: RunService) -> Iterator[Refusal]:
    order = document.setting("order", service.order)
    if service.socket not in ("fd", "none"):
        way = document.setting("socket", service.socket)
        yield document.error(
            section, f"{order} needs a socket that can hold requests: fd, but here is {way}", key="order"
        )
    if document.sections[section].get("keep_warm") and service.keep_warm:
        what = f"keep_warm and {order} exclude each other: the old version has stopped"
        yield document.error(section, what, key="keep_warm")


def _placeholders(document: Document, section: str, service: RunService) -> Iterator[Refusal]:
    texts = {"run": service.run} | {f"env {key}": value for key, value in service.env.items()}
    for word, way in _PLACEHOLDERS.items():
        where = next((where for where, text in texts.items() if "{" + word + "}" in text), None)
        if where and service.socket != way:
            needed, given = document.setting("socket", way), document.setting("socket", service.socket)
            what = f"{{{word}}} in {where} needs {needed}, but here is {given}"
            yield document.error(section, what, key=where.partition(" ")[0])
        if word == "socket" and service.socket == way and not where:
            yield document.error(
                section, f"{document.setting('socket', way)} needs {{socket}} in run or env", key="socket"
            )


def nginx(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> Iterator[Refusal]:
    """Check [nginx], and what the services need from it."""
    yield from _nginx_keys(document, nginx, services)
    yield from check_tls.nginx(document, nginx, services)
    yield from check_log.nginx(document, nginx)
    owner = nginx.owner
    if not owner:
        yield from check_clients.nginx(document, nginx)
        yield from _listens(document, nginx)
        yield from _routes(document, services)
        yield from _holds(document, nginx, services)
        return
    if "nginx" not in document.classic:
        yield from _unset(document, "nginx", _OWN_TEXT_ONLY, f"has no effect with {owner}; set it in that server block")
    for name, service in services.items():
        if isinstance(service, RunService):
            routed = f"has no effect with {owner} in [nginx], which does the routing"
            yield from _unset(document, document.service_prefix + name, ("host", "path"), routed)
    if nginx.template:
        yield from _template(document, nginx)


def _nginx_keys(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> Iterator[Refusal]:
    classic = next((name for name, service in services.items() if isinstance(service, ClassicService)), None)
    missing = [key for key in ("template", "pid_file") if getattr(nginx, key) is None]
    if classic is not None and missing:
        yield document.error("nginx", f"needs {' and '.join(missing)}, because service {classic} has start")
    if nginx.template and nginx.include:
        what = "template and include exclude each other: with include zdd runs no nginx"
        yield document.error("nginx", what, key="include")
    if nginx.include and not nginx.reload:
        yield document.error("nginx", "include needs reload, the command that reloads that nginx", key="include")
    for key in ("reload", "test"):
        if getattr(nginx, key) and not nginx.include:
            what = f"{key} goes with include; zdd tests and reloads its own nginx itself"
            yield document.error("nginx", what, key=key)


def _template(document: Document, nginx: NginxSection) -> Iterator[Refusal]:
    path = str(nginx.template)
    if not path.removesuffix(TEMPLATE_SUFFIX) or not path.endswith(TEMPLATE_SUFFIX):
        setting = document.setting("template", path)
        yield document.error(
            "nginx", f"{setting} is not allowed; its name must end with {TEMPLATE_SUFFIX}", key="template"
        )
        return
    try:
        foreign.data(path)
    except OSError as error:
        yield document.error("nginx", f"cannot read template {path}: {error.strerror}", key="template")


def _unset(document: Document, section: str, keys: Iterable[str], why: str) -> Iterator[Refusal]:
    """Refuse each of these keys that the section has."""
    for key in keys:
        if key in document.sections.get(section, {}):
            yield document.error(section, f"{key} {why}", key=key)


def _holds(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> Iterator[Refusal]:
    """Check that requests wait less long than nginx waits for an answer: after that it answers 504."""
    for name, service in services.items():
        waits = isinstance(service, RunService) and service.order == "stop-first" and service.hold_max
        if waits >= nginx.proxy_read_timeout:
            what = f"hold_max ({waits:g} s) must be less than proxy_read_timeout in [nginx]"
            what += f" ({nginx.proxy_read_timeout:g} s)"
            yield document.error(document.service_prefix + name, what, key="hold_max")


def _listens(document: Document, nginx: NginxSection) -> Iterator[Refusal]:
    seen: dict[str, str] = {}
    for address in nginx.listen:
        host, _, port = address.rpartition(":")
        place = f"{'' if host in ('*', '0.0.0.0') else host}:{int(port)}"
        if place in seen:
            what = f"{document.setting('listen', address)} repeats {seen[place]}; leave it out"
            yield document.error("nginx", what, key="listen")
        seen[place] = address


def _routes(document: Document, services: Mapping[str, Service]) -> Iterator[Refusal]:
    taken: dict[tuple[str, str], str] = {}
    for name, service in services.items():
        if not service.is_routed:
            continue
        for host in [each for given in service.host for each in hosts.meant(given)] or [""]:
            other = taken.setdefault((host, service.path), name)
            if other != name:
                where = f"{host or 'every host'}, path {service.path}"
                what = f"has the same route as service {other}: {where}; give one of them another host or path"
                yield document.error(document.service_prefix + name, what, key="path")
