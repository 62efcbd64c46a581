"""The access log: whose nginx writes it, and what contradicts that."""

from collections.abc import Iterator

from zdd.conf.document import Document
from zdd.conf.nginx_section import NginxSection
from zdd.conf.refusals import Refusal


def nginx(document: Document, nginx: NginxSection) -> Iterator[Refusal]:
    """
    Check `access_log` in [nginx].

    zdd's own text has a place of its own for the log. In somebody's own server blocks only they can write it: so true
    would promise a log that nobody writes, and a path says which one it is.
    """
    if "access_log" not in document.sections.get("nginx", {}) or "nginx" in document.classic:
        return
    given = nginx.access_log
    owner = nginx.owner
    if isinstance(given, str) and not owner:
        on, setting = document.setting("access_log", True), document.setting("access_log", given)
        what = f"{setting} goes with template or include; zdd's own nginx logs in its state folder: {on}"
        yield document.error("nginx", what, key="access_log")
    elif given is True and owner:
        on = document.setting("access_log", True)
        what = f"{on} has no effect with {owner}: name the log that your server block writes in zdd's format"
        yield document.error("nginx", what, key="access_log")
