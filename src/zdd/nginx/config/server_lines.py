"""
Lines of the user's own for the server blocks of zdd's text: the content of the file that `server_include` names.

The content becomes a part of the text. So a change of the file is a change of the text, which is tested and makes
nginx reload; an `include` of the file would be the same text whatever the file says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from zdd.nginx.config import lexer
from zdd.nginx.config.mark import HEADER, REQUEST_HEADER
from zdd.nginx.config.parse import Directive, Place, parse, walk
from zdd.nginx.config.upstream import quoted

PLACE = "# What server_include names:"

# nginx takes these from the level above only where a block has none of them: so those of zdd are repeated.
_ALL_OR_NONE = ("proxy_set_header", "proxy_hide_header", "grpc_set_header", "grpc_hide_header", "access_log")
_OF_FILES = ("cache-control", "vary")
_KEYS = {"listen": "listen", "server_name": "server_name or host", "client_max_body_size": "client_max_body_size"}
_KEYS |= {"proxy_read_timeout": "proxy_read_timeout"}
_ELSEWHERE = {"http", "events", "server", "upstream", "map", "geo", "split_clients", "log_format", "limit_req_zone"}
_ELSEWHERE |= {"limit_conn_zone", "proxy_cache_path", "stream", "mail", "user", "worker_processes"}
_ZONES = {"limit_req": "limit_req_zone", "limit_conn": "limit_conn_zone", "proxy_cache": "proxy_cache_path"}
# They name files; nginx would look for them beside its own configuration, below S.
_WITH_FILE = {"root", "alias", "access_log", "error_log", "auth_basic_user_file", "ssl_client_certificate"}
_WITH_FILE |= {"ssl_trusted_certificate", "proxy_ssl_certificate", "proxy_ssl_certificate_key"}
_NO_FILE = ("off", "stderr")


def put(text: str, user_lines: str, http: str) -> str:
    """Return a text with the user's lines in each server block; `http` are the lines of the http level."""
    if not user_lines:
        return text
    own = [directive for directive in parse(user_lines) if directive.name in _ALL_OR_NONE]
    again = [line.strip() for line in http.splitlines() if _is_hidden(line, own)]
    # Not indented, because a quoted text may go over several lines.
    return text.replace(f"{PLACE}\n", "\n".join([*again, PLACE, user_lines.rstrip("\n"), ""]))


def headers(user_lines: str) -> list[str]:
    """
    Return the user's add_header lines, for a location that has some of zdd's and so inherits none of them.

    Without those that zdd gives each file a value of its own.
    """
    if not user_lines:
        return []
    own = [directive for directive in parse(user_lines) if directive.name == "add_header" and directive.args]
    added = [directive.args for directive in own if directive.args[0].lower() not in _OF_FILES]
    return [f"add_header {' '.join(map(quoted, args))};" for args in added]


def line_of(text: str, number: int, user_lines: str) -> int | None:
    """Return which of the user's lines the line of this number in a text is; None if it is none of them."""
    before = text.split("\n")[: number - 1]
    begins = [place for place, line in enumerate(before, 1) if line.strip() == PLACE]
    own = number - begins[-1] if begins else 0
    return own if 0 < own <= len(user_lines.rstrip("\n").split("\n")) else None


def problem(user_lines: str) -> tuple[str, str] | None:
    """Return why these lines cannot stand in a server block, and what to do; None if nothing is known against them."""
    if not user_lines:
        return None
    if line := _unbalanced(user_lines):
        return f"line {line}: a block or a directive does not end", 'each "{" needs its "}", each directive its ";"'
    text = parse(user_lines)
    for directive in text:
        if key := _KEYS.get(directive.name):
            return _at(directive, "is set by a key"), f"set {key} in deploy.toml"
        if directive.name in _ELSEWHERE:
            return _at(directive, "does not belong in a server block"), "only what nginx allows there can be added"
    for place in walk(text):
        directive = place.directive
        if directive.name == "include":
            what = _at(directive, "would read a file whose changes nobody sees")
            return what, "write its lines here instead"
        if directive.name in ("add_header", "proxy_set_header") and _is_of_mark(directive):
            return _at(directive, "is how zdd sees which version answers"), "leave it out"
        if (zone := _ZONES.get(directive.name)) and directive.args[:1] != ["off"]:
            what = _at(directive, f"needs {zone} outside of server blocks, where these lines are not")
            return what, "use a text of your own: template in [nginx]"
        if path := _relative(directive):
            return _at(directive, f"names {path}, which nginx would look for below S"), "write the whole path"
    return None


def duplicate(complaint: str) -> str:
    """Return what to do about a location that zdd's text has already; empty for another complaint of nginx's."""
    if "duplicate location" not in complaint:
        return ""
    return "; zdd's own text has that location already: a service's path, or what zdd answers; take another one"


def passed_over(user_lines: str, file: str) -> Iterator[tuple[Directive, str]]:
    """Yield places in locations of the user's that replace headers of zdd's, each with what is lost by it."""
    for place in walk(parse(user_lines, file)):
        if place.directive.name == "proxy_set_header" and place.enclosing("location") and _is_first(place):
            yield place.directive, "apps there get no X-Forwarded-For, -Proto and -Host of zdd's, but the visitor's own"


def _relative(directive: Directive) -> str | None:
    """Return the relative path that a directive names, None if there is none."""
    path = next(iter(directive.args), "")
    is_elsewhere = path.startswith(("/", "$")) or ":" in path or path in _NO_FILE
    return None if not path or is_elsewhere or directive.name not in _WITH_FILE else path


def _is_hidden(line: str, own: Sequence[Directive]) -> bool:
    """Return whether a line of the http level is no longer in force beside these, and none of them replaces it."""
    found = next(iter(parse(line)), None)
    if found is None or all(found.name != each.name for each in own):
        return False
    replaced = [each.args[:1] for each in own if each.name == found.name]
    return found.name == "access_log" or [word.lower() for word in found.args[:1]] not in [
        [word.lower() for word in words] for words in replaced
    ]


def _is_of_mark(directive: Directive) -> bool:
    return directive.args[:1] != [] and directive.args[0].lower() in (HEADER.lower(), REQUEST_HEADER.lower())


def _is_first(place: Place) -> bool:
    """Return whether a directive is the first one of its name in its block."""
    return next(each for each in place.above[-1].block or () if each.name == place.directive.name) is place.directive


def _unbalanced(text: str) -> int | None:
    """Return the line in which something begins that does not end, or ends that has not begun; None if all is well."""
    opened: list[int] = []
    start: int | None = None  # of a directive without its end
    for token in lexer.tokens(text):
        if token.kind == "{":
            opened.append(token.start)
        elif token.kind == "}" and not opened:
            return _line(text, token.start)
        elif token.kind == "}":
            opened.pop()
        if token.kind == "word":
            start = token.start if start is None else start
        elif token.kind != "comment":
            start = None
    left: Collection[int] = [*opened, *([] if start is None else [start])]
    return _line(text, min(left)) if left else None


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _at(directive: Directive, what: str) -> str:
    return f"line {directive.spot.line}: {directive.name} {what}"
