"""Everything answered 503 with a page of its own, and back: a file that nginx looks for, so nothing is reloaded."""

from __future__ import annotations

import html
import os
import textwrap
from pathlib import Path

from zdd.errors import DeployFailed, UsageError
from zdd.host import files
from zdd.instances.health import request
from zdd.nginx import gate
from zdd.nginx.config import maintenance
from zdd.nginx.config.render import maintenance_lines
from zdd.nginx.external import ExternalNginx
from zdd.project import Project

MESSAGE = "Down for maintenance, back soon."

_LARGEST = 10 * 1024**2
_UNAVAILABLE = 503

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Maintenance</title>
<style>
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f6f6f4; color: #333;
         font: 1.25rem/1.5 system-ui, sans-serif; }}
  p {{ max-width: 32em; padding: 2em; }}
  @media (prefers-color-scheme: dark) {{ body {{ background: #222; color: #ddd; }} }}
</style>
<p>{message}</p>
</html>
"""


def page(message: str) -> str:
    """Return an HTML page that says this."""
    return _PAGE.format(message=html.escape(message))


def own_page(path: Path) -> str:
    """Return the user's page. Raises UsageError for what browsers would not show."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no page: it is not UTF-8", hint="save it as HTML in UTF-8") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST // 1024**2} MB", hint="a page is small: link to what is not")
    return text


def on(project: Project, text: str) -> None:
    """
    Have nginx answer everything with status 503 and this page, from the next request on.

    Raises UsageError where nginx's text does not look for the file, DeployFailed when nginx answers otherwise; then all
    is as it was before.
    """
    file = project.paths.maintenance
    if project.config.nginx.template and file not in project.config.nginx.template.read_text():
        raise UsageError(
            f"{project.config.nginx.template} does not look for {file}",
            hint=f"put this into its server block and deploy:\n{_lines(project)}",
        )
    before = files.read(file)
    files.write(file, text, mode=0o644)
    try:
        _check(project)
    except BaseException:
        files.remove(file) if before is None else files.write(file, before, mode=0o644)
        raise


def off(project: Project) -> bool:
    """Have nginx pass requests on again; False when it did."""
    was = is_on(project)
    files.remove(project.paths.maintenance)
    return was


def is_on(project: Project) -> bool:
    """Tell whether everything is answered 503."""
    return files.read(project.paths.maintenance) is not None


def _check(project: Project) -> None:
    """Ask every server that has the lines; say which cannot be asked."""
    visits, unasked = _visits(project)
    for visit in visits:
        _ask(project, visit)
    if project.config.nginx.include and not visits:
        words = f"for this, your server block needs (once, and a reload):\n{_lines(project)}"
        project.events.notice(words)
    if unasked:
        words = f"not checked, since no request is known that leads there: {', '.join(unasked)}"
        project.events.notice(f"{words}; look at it yourself")


def _visits(project: Project) -> tuple[list[gate.Visit], list[str]]:
    """Return the requests to send, and what none is known for."""
    proxy, file = project.proxy, project.paths.maintenance
    if isinstance(proxy, ExternalNginx):
        serving = project.tables.current()
        known = proxy.visits(serving) if serving else []
        return known, [name for name in proxy.reachable() if name not in {visit.service for visit in known}]
    found = maintenance.servers(proxy.nginx.text() or "", os.path.dirname(proxy.conf_file), file)
    if not found:
        raise DeployFailed(f"nginx does not look for {file} yet", hint="`zddeploy` brings it to the text that does")
    visits = [gate.Visit(name, one.address, one.host, one.path, one.tls) for name, one in found if one]
    return visits, [f"the server {name}" for name, one in found if one is None]


def _ask(project: Project, visit: gate.Visit) -> None:
    where = f"{visit.address[0]}:{visit.address[1]}"
    try:
        status = gate.visit(visit, project.clock).status
    except (OSError, request.NotHttp) as error:
        hint = None if project.proxy.master() else project.proxy.problem()
        raise DeployFailed(f"maintenance is not on: nginx does not answer on {where}: {error}", hint=hint) from error
    if status == _UNAVAILABLE:
        return
    words = f"maintenance is not on: nginx answers {status} and not 503 for GET {visit.path} with Host {visit.host}"
    raise DeployFailed(words, hint=_mend(project))


def _mend(project: Project) -> str:
    """Return what may help where nginx does not answer with the page."""
    if barrier := project.proxy.barrier():
        folder, name = barrier
        return f"{name}, nginx's user, cannot pass {folder}, and so does not see {project.paths.maintenance}"
    if project.config.nginx.include:
        return f"your server block needs (and nginx a reload):\n{_lines(project)}"
    return "`zddeploy` brings nginx to the text that looks for the page"


def _lines(project: Project) -> str:
    return textwrap.indent(maintenance_lines(project.paths.maintenance), "    ")
