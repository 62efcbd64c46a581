"""Maintenance: nginx answers 503 with a page while a file exists, so no reload is needed."""

from __future__ import annotations

import html
from pathlib import Path

from zdd import secret
from zdd.errors import DeployFailed, UsageError
from zdd.host import files
from zdd.instances.health import request
from zdd.nginx import client, words
from zdd.nginx.config.listen import Visit
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
    """Return an HTML page with this message."""
    return _PAGE.format(message=html.escape(secret.readable(message)))


def own_page(path: Path) -> str:
    """Return the user's page. Raises UsageError for a file that is no page."""
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
    Make nginx answer everything with status 503 and this page, from the next request on.

    Raises UsageError where nginx's text does not look for the file, DeployFailed when nginx answers otherwise; then
    nothing has changed.
    """
    file = project.paths.maintenance
    check = project.proxy.maintenance(project.tables.current())
    before = files.read(file)
    files.write(file, text, mode=0o644)
    try:
        for visit in check.visits:
            _ask(project, visit, check.needed)
    except BaseException:
        files.remove(file) if before is None else files.write(file, before, mode=0o644)
        raise
    if check.needed and not check.visits:
        project.events.notice(f"for this, {check.needed}")
    if check.unasked:
        notice = f"not checked, since no request is known that leads there: {', '.join(check.unasked)}"
        project.events.notice(f"{notice}; look at it yourself")


def off(project: Project) -> bool:
    """Make nginx pass requests on again; return False when it did already."""
    was = is_on(project)
    files.remove(project.paths.maintenance)
    return was


def is_on(project: Project) -> bool:
    """Return whether everything is answered 503."""
    return files.read(project.paths.maintenance) is not None


def _ask(project: Project, visit: Visit, needed: str | None) -> None:
    where = f"{visit.address[0]}:{visit.address[1]}"
    try:
        mark = words.mark_of(project.paths)  # so that the request does not stand in the log as a visitor's
        status = client.ask(visit, project.clock, more=client.asking(mark)).status
    except (OSError, request.NotHttp) as error:
        message = f"maintenance is not on: nginx does not answer on {where}: {error}"
        raise DeployFailed(message, hint=project.proxy.problem()) from error
    if status == _UNAVAILABLE:
        return
    message = f"maintenance is not on: nginx answers {status} and not 503 for GET {visit.path} with Host {visit.host}"
    raise DeployFailed(message, hint=_hint(project, needed))


def _hint(project: Project, needed: str | None) -> str:
    """Return a hint for an nginx that does not answer with the page."""
    if unsearchable := project.proxy.first_unsearchable_folder():
        folder, name = unsearchable
        return f"{name}, nginx's user, cannot pass {folder}, and so does not see {project.paths.maintenance}"
    return needed or "`zddeploy` brings nginx to the text that looks for the page"
