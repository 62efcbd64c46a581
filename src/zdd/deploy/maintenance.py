"""Everything answered 503 with a page of its own, and back: a file that nginx looks for, so nothing is reloaded."""

from __future__ import annotations

import html

from zdd.deploy import through
from zdd.deploy.site import Site
from zdd.errors import DeployFailed, UsageError
from zdd.host import files
from zdd.instance import probe
from zdd.proxy.text import maintenance_lines

MESSAGE = "Down for maintenance, back soon."

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


def on(site: Site, text: str) -> None:
    """
    Have nginx answer everything with status 503 and this page, from the next request on.

    Raises UsageError where nginx's text does not look for the file, DeployFailed when nginx answers otherwise.
    """
    lines = "\n".join(f"    {line}" for line in maintenance_lines(site.places.maintenance).splitlines())
    if site.config.nginx.template and site.places.maintenance not in site.config.nginx.template.read_text():
        raise UsageError(
            f"{site.config.nginx.template} does not look for {site.places.maintenance}",
            hint=f"put this into its server block and deploy:\n{lines}",
        )
    files.write(site.places.maintenance, text, mode=0o644)
    if site.config.nginx.include:
        words = f"for this, your server block needs (once, and a reload):\n{lines}"
        site.report.event("notice", text=words)
    else:
        _check(site)


def off(site: Site) -> bool:
    """Have nginx pass requests on again; False when it did."""
    was = is_on(site)
    files.remove(site.places.maintenance)
    return was


def is_on(site: Site) -> bool:
    """Tell whether everything is answered 503."""
    return files.read(site.places.maintenance) is not None


def _check(site: Site) -> None:
    address = through.listen_address(site.front)
    if address is None:
        return
    try:
        status = through.visit(through.Visit("", address, "localhost", "/"), site.clock).status
    except (OSError, probe.NotHttp) as error:
        raise DeployFailed(f"nginx does not answer on {address[0]}:{address[1]}: {error}") from error
    if status != 503:
        raise DeployFailed(
            f"nginx answers {status} and not 503: it does not look for {site.places.maintenance} yet",
            hint="`zddeploy` brings it to the text that does",
        )
