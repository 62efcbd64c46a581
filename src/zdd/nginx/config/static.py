"""
The locations in which zdd's own nginx serves files itself: static services, and the assets of releases.

Everything is asked for again at each visit (`no-cache`, answered 304 while the file is the same), but files whose names
tell their content: browsers keep those for ever, and those of earlier releases are still there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from zdd.nginx.config import brotli, hashed_names, media_types
from zdd.nginx.config.request_path import encoded
from zdd.nginx.config.upstream import quoted

_FOR_EVER = "public, max-age=31536000, immutable"
# By the status, too: a missing file must not be remembered. 206 is a part of a file (Range), 304 the file as before.
_FOUND = rf"~^(?:200|206|304) .*{hashed_names.FOR_EVER}"
_CHARSET = "charset utf-8;"  # of text, as pages that say nothing of it are meant
_HIDDEN = r"/\.(?!well-known(?:/|$))"
_FOLDER = "/$"  # has its index.html alone: $uri.html is the hidden file .html there, and looking for it costs
# What browsers and programs ask for, not people. Who asks for "text/html" is a browser that opens this address, such as
# that of a picture in an application that shows files; the tags of pages, fetch() and robots do not say so.
_NO_PAGE = rf"~*^/(?:.*/)?(?:\.well-known/.*|[^/]*\.(?:{'|'.join(media_types.ENDINGS)}))$"
_ROOT = "$zdd_root"  # the folder of the release that answers a request

HTTP_LINES = f"""\
map "" $zdd_resolved {{ default $realpath_root; }}
map "$status $uri" $zdd_cache {{ default no-cache; {quoted(_FOUND)} "{_FOR_EVER}"; }}
map $http_accept $zdd_opens {{ default ""; ~*text/html opens; }}
map $zdd_opens$uri $zdd_page {{ default 1; {quoted(_NO_PAGE)} ""; }}
map $zdd_cache $zdd_assets_cache {{ default $zdd_cache; no-cache ""; }}
{brotli.HTTP_LINE}"""
"""For the http level. An app's assets had no Cache-Control before, so only those that never change get one."""


class StaticSite(Struct, frozen=True):
    """
    What a static service serves: the folder behind its slot, and with `spa` its index.html for every unknown path that
    may be a page.

    `kept` has the files of all releases whose names tell their content.
    """

    folder: str
    spa: bool
    kept: str


class Files(Struct, frozen=True):
    """
    What every such location has: the `header` lines that it does not inherit, because it has an add_header of its own,
    and `precompressed`, the lines with which this nginx sends x.js.gz, or x.js.br, in the place of x.js.
    """

    header: str
    precompressed: Sequence[str]

    @property
    def knows_brotli(self) -> bool:
        """Whether nginx itself finds x.js.br."""
        return any(line.startswith("brotli") for line in self.precompressed)


def locations(where: str, service: str, site: StaticSite, files: Files) -> dict[str, str]:
    """
    Return the locations of a static service: its own, and those that it leads to.

    `where` is its prefix, or "= " and a path that is redirected to the one with a slash.
    """
    if where.startswith("= "):
        return {where: f"return 301 {quoted(encoded(where[2:]) + '/')}$is_args$args;"}
    once = _resolved_once(site.folder)
    place = [once, f'alias "{_ROOT}/";', f"disable_symlinks if_not_owner from={_ROOT};"]
    headers, unknown = _headers(files, "$zdd_cache"), f"@page_{service}" if site.spa else "=404"
    packs = not files.knows_brotli
    test, leads = (f"{brotli.TEST} ", [brotli.leads(service)]) if packs else ("", [])
    tries = f"try_files $uri $uri.html $uri/ {quoted(unknown)};"
    lines = [
        *place,
        "index index.html;",
        _CHARSET,
        *files.precompressed,
        *headers,
        f"error_page 403 = {unknown};" if site.spa else _errors(where),
        *leads,
        tries,
        f"location ~ {quoted(_HIDDEN)} {{ {once} return 404; }}",
        f"location ~ {quoted(_FOLDER)} {{ {once} try_files $uri/ {quoted(unknown)}; }}",
        f"location ~ {quoted(hashed_names.PATTERN)} {{ {once} {test}{' '.join([*leads, _kept_too(service)])} }}",
        *([f"location ~ {quoted(brotli.endings())} {{ {once} {test}{tries} }}"] if packs else []),
    ]
    own = {where: "\n".join(lines), _kept(service): _of_all_releases(where, site, files)}
    if site.spa:
        page = f"rewrite ^ {quoted(f'{where}index.html')} last;"
        own[unknown] = "\n".join([f"root {_ROOT};", *headers, 'if ($zdd_page = "") { return 404; }', page])
    return own | (brotli.location(where, service, [*place, _CHARSET, *headers], once) if packs else {})


def _resolved_once(slot: str) -> str:
    """
    Return the line that resolves the slot once for each request, whatever the number of files that nginx looks for.

    One request takes several: about, about.html, about/index.html, about/index.html.br, 404.html. A switch between two
    of them would answer 404 for a page that both releases have. $realpath_root is of the block that it is in, so the
    block has the slot as its root; then nginx chooses the location again, with the variable set. Internal redirects
    keep the variable. If the slot leads nowhere, nginx gives up with 500 after ten rounds, and serves nothing.

    nginx evaluates twice what it sets, to measure it and to copy it. $realpath_root would be resolved twice, and after
    a switch in between the path would be cut off, or written past its end; $zdd_resolved keeps the first result.
    """
    return f'if ({_ROOT} = "") {{ root {quoted(slot)}; set {_ROOT} $zdd_resolved; rewrite ^ $uri last; }}'


def alone(where: str, site: StaticSite) -> str:
    """Return what answers a path below `where` for which another service has the location with a slash at the end."""
    if site.spa:
        return f"error_page 404 =200 {quoted(f'{where}index.html')}; return 404;"
    return f"{_errors(where)} return 404;"


def _of_all_releases(where: str, site: StaticSite, files: Files) -> str:
    """Return what is in the location for files of earlier releases."""
    prefix = where.rstrip("/")
    lines = [
        *([f"rewrite {quoted(f'^{re.escape(prefix)}(/.*)$')} $1 break;"] if prefix else []),
        f"root {quoted(site.kept)};",
        f"disable_symlinks on from={quoted(site.kept)};",
        _CHARSET,
        *files.precompressed,
        *_headers(files, "$zdd_cache"),
        *([] if site.spa else [_errors(where)]),
        "try_files $uri =404;",
    ]
    return "\n".join(lines)


def assets(folder: str, missing: str, files: Files) -> str:
    """Return what is in the location of a folder of assets; what is `missing` there goes on to this."""
    lines = [f"alias {quoted(f'{folder}/')};", *files.precompressed, *_headers(files, "$zdd_assets_cache")]
    return "\n".join([*lines, f"try_files $uri {missing};"])


def _headers(files: Files, cache: str) -> list[str]:
    header = [files.header] if files.header else []
    vary = ["gzip_vary off;", "add_header Vary Accept-Encoding;"]  # once, whichever of them is compressed
    return ["sendfile on;", *header, f"add_header Cache-Control {cache} always;", *vary]


def _errors(where: str) -> str:
    """
    Return what answers where there is no file, but for an SPA: 404.html, if the folder has one.

    403 stands for folders without an index.html, too, which visitors need not tell from what is not there.
    """
    return f"error_page 403 404 =404 {quoted(f'{where}404.html')};"


def _kept_too(service: str) -> str:
    """Return the lines that look for a file in all releases, also where the release has a link that nginx refuses."""
    return f"error_page 403 = {_kept(service)}; try_files $uri {_kept(service)};"


def _kept(service: str) -> str:
    return f"@kept_{service}"
