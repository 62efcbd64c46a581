"""What nginx reads, where zdd has not written it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch

from zdd.checks.finding import Finding, error, warning
from zdd.conf.schema import RunService
from zdd.host import files, process
from zdd.nginx.config import lint, parse, template, upstream
from zdd.nginx.config.lint import Served, mark
from zdd.nginx.config.parse import Directive
from zdd.nginx.external import ExternalNginx
from zdd.nginx.process import running
from zdd.project import Project

_FEW = 1024  # worker_connections: a request takes two, and nginx's default is 512


def text(project: Project) -> Iterator[Finding]:
    """Look at what nginx reads, where it is not of zdd's making."""
    if isinstance(project.proxy, ExternalNginx):
        yield from _foreign_text(project)
    elif project.proxy.template:
        yield from _template(project, template.read(str(project.proxy.template)))


def served(project: Project) -> dict[str, Served]:
    """Return the services that nginx leads to."""
    found = {}
    for name, one in project.config.services.items():
        if not isinstance(one, RunService):
            found[name] = Served(1, by_link=False)
        elif one.socket != "none":
            found[name] = Served(one.instances, by_link=one.socket != "tcp")
    return found


def _template(project: Project, source: str) -> Iterator[Finding]:
    services, proxy = served(project), project.proxy
    known = template.mentions(source, project.config.services)
    for name in known.missing:
        yield error(f"the template has {{{name}}}, and no service {name}", "nginx refuses it", "correct the name")
    for name in known.unmentioned:
        if name in services:
            yield warning(f"the template does not mention {name}", "nobody is led to it", f"use {{{name}.servers}}")
    values = {"nginx_pid_filename": proxy.pid_file}
    for name in services:
        values |= {name: mark(name), f"{name}.servers": upstream.servers([mark(name)], proxy.nginx.binary.version)}
    found = parse.read(template.render(source, values), os.path.dirname(proxy.conf_file))
    named = [one.args[0] for one in found if one.name == "pid" and one.args]
    if [os.path.join(proxy.prefix, path) for path in named] != [proxy.pid_file]:
        yield error(
            f"the template's pid is {named[0] if named else 'not set'}, and pid_file {proxy.pid_file}",
            "zdd would not find nginx, and start a second one",
            "write pid {nginx_pid_filename}; in the template",
        )
    yield from _judge(project, found, named=False)


def _foreign_text(project: Project) -> Iterator[Finding]:
    proxy = project.proxy
    master = proxy.master()
    path = (running.conf_file_of(process.title(master.pid)) if master else None) or proxy.nginx.binary.conf_path
    main = files.read(path) if path and os.access(path, os.R_OK) else None
    if path is None or main is None:
        yield warning(f"cannot read {path or 'nginx.conf'}", "what it says was not looked at", "look at it as root")
        return
    included: list[str] = []
    found = parse.read(main, os.path.dirname(path), included)
    if not any(fnmatch(proxy.conf_file, pattern) for pattern in included):
        yield error(
            f"{path} does not include {proxy.conf_file}",
            "nginx would never learn of the services",
            f"include {proxy.conf_file}; inside http {{ }}",
        )
    led_to = {one.service for one in lint.passes(found, list(served(project)), named=True)}
    for name in served(project).keys() - led_to:
        yield warning(f"no server block leads to {name}", "nobody gets to it", f"proxy_pass http://{name};")
    yield from _judge(project, found, named=True)


def _judge(project: Project, found: list[Directive], named: bool) -> Iterator[Finding]:
    services = served(project)
    paths = lint.passes(found, list(services), named)
    for one in lint.advise(paths, project.proxy.nginx.binary.version, services):
        yield Finding("error" if one.severe else "warning", one.what, one.why, one.fix)
    for place in parse.walk(found):
        if place.directive.name == "worker_connections" and int(place.directive.args[0]) < _FEW:
            yield warning(
                f"worker_connections is {place.directive.args[0]}",
                "a request takes two, and while requests are held beyond it even static files are not served",
                "worker_connections 4096;",
            )
