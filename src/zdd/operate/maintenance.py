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
from zdd.nginx.external import ForeignFront
from zdd.project import Site

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


def on(site: Site, text: str) -> None:
    """
    Have nginx answer everything with status 503 and this page, from the next request on.

    Raises UsageError where nginx's text does not look for the file, DeployFailed when nginx answers otherwise; then all
    is as it was before.
    """
    file = site.places.maintenance
    if site.config.nginx.template and file not in site.config.nginx.template.read_text():
        raise UsageError(
            f"{site.config.nginx.template} does not look for {file}",
            hint=f"put this into its server block and deploy:\n{_lines(site)}",
        )
    before = files.read(file)
    files.write(file, text, mode=0o644)
    try:
        _check(site)
    except BaseException:
        files.remove(file) if before is None else files.write(file, before, mode=0o644)
        raise


def off(site: Site) -> bool:
    """Have nginx pass requests on again; False when it did."""
    was = is_on(site)
    files.remove(site.places.maintenance)
    return was


def is_on(site: Site) -> bool:
    """Tell whether everything is answered 503."""
    return files.read(site.places.maintenance) is not None


def _check(site: Site) -> None:
    """Ask every server that has the lines; say which cannot be asked."""
    visits, unasked = _visits(site)
    for visit in visits:
        _ask(site, visit)
    if site.config.nginx.include and not visits:
        words = f"for this, your server block needs (once, and a reload):\n{_lines(site)}"
        site.report.event("notice", text=words)
    if unasked:
        words = f"not checked, since no request is known that leads there: {', '.join(unasked)}"
        site.report.event("notice", text=f"{words}; look at it yourself")


def _visits(site: Site) -> tuple[list[gate.Visit], list[str]]:
    """Return the requests to send, and what none is known for."""
    front, file = site.front, site.places.maintenance
    if isinstance(front, ForeignFront):
        serving = site.tables.current()
        known = front.visits(serving) if serving else []
        return known, [name for name in front.reachable() if name not in {visit.service for visit in known}]
    found = maintenance.servers(front.nginx.text() or "", os.path.dirname(front.conf_file), file)
    if not found:
        raise DeployFailed(f"nginx does not look for {file} yet", hint="`zddeploy` brings it to the text that does")
    visits = [gate.Visit(name, one.address, one.host, one.path, one.tls) for name, one in found if one]
    return visits, [f"the server {name}" for name, one in found if one is None]


def _ask(site: Site, visit: gate.Visit) -> None:
    where = f"{visit.address[0]}:{visit.address[1]}"
    try:
        status = gate.visit(visit, site.clock).status
    except (OSError, request.NotHttp) as error:
        hint = None if site.front.master() else site.front.problem()
        raise DeployFailed(f"maintenance is not on: nginx does not answer on {where}: {error}", hint=hint) from error
    if status == _UNAVAILABLE:
        return
    words = f"maintenance is not on: nginx answers {status} and not 503 for GET {visit.path} with Host {visit.host}"
    raise DeployFailed(words, hint=_mend(site))


def _mend(site: Site) -> str:
    """Return what may help where nginx does not answer with the page."""
    if barrier := site.front.barrier():
        folder, name = barrier
        return f"{name}, nginx's user, cannot pass {folder}, and so does not see {site.places.maintenance}"
    if site.config.nginx.include:
        return f"your server block needs (and nginx a reload):\n{_lines(site)}"
    return "`zddeploy` brings nginx to the text that looks for the page"


def _lines(site: Site) -> str:
    return textwrap.indent(maintenance_lines(site.places.maintenance), "    ")
