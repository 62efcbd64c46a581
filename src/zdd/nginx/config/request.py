"""What nginx does with a request, followed through a server block as far as its text says."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from zdd.nginx.config import location, pattern, variables
from zdd.nginx.config.listen import Listen
from zdd.nginx.config.parse import Directive, Place
from zdd.nginx.config.server import Server
from zdd.nginx.config.target import is_pass

_REDIRECTS = 10  # inside nginx, as nginx itself allows
_OURS = ("all", "127.0.0.1", "127.0.0.0/8", "::1")  # what names a client on this machine
_LEAVES = ("redirect", "permanent")


class Answer(enum.Enum):
    """How a request ends that is sent nowhere."""

    ITSELF = enum.auto()  # nginx answers: return, a rewrite to elsewhere, or 404 as the location is internal
    REFUSED = enum.auto()  # a password, a certificate or another address is asked for
    FILES = enum.auto()  # nginx looks for a file


class Request(NamedTuple):
    """A GET without further headers: its host, its decoded path, and where it comes in."""

    host: str
    path: str
    listen: Listen


def follow(request: Request, server: Server) -> Place | Answer:
    """Return the proxy_pass, or the like, that the request comes to, or how it ends. Raises location.Unclear."""
    if _refuses_tls(request, server):
        return Answer.REFUSED
    block = server.place.directive
    if answer := _rewritten(request, block):
        return answer
    chain = location.find(block, request.path)
    if any(inner.name == "internal" for outer in chain for inner in outer.block or ()):
        return Answer.ITSELF
    for _ in range(_REDIRECTS):
        if chain and (answer := _rewritten(request, chain[-1])):
            return answer
        if _refuses((*server.above, *chain)):
            return Answer.REFUSED
        fallback = _fallback(chain[-1] if chain else block)
        if fallback is None:
            return _passed(server, chain)
        if fallback.startswith("="):
            return Answer.FILES
        chain = location.named(block, fallback) if fallback.startswith("@") else location.find(block, fallback)
    return Answer.ITSELF


def _rewritten(request: Request, block: Directive) -> Answer | None:
    """Return how nginx answers by what `return`, `rewrite` and `if` say right in this block; None if it does not."""
    for directive in block.block or ():
        if directive.name == "return" and directive.args:
            return Answer.ITSELF
        if directive.name == "if" and _holds(request, directive.args) and (end := _rewritten(request, directive)):
            return end
        if directive.name == "rewrite" and len(directive.args) >= 2:
            matches = pattern.matches(directive.args[0], request.path, ignore_case=False)
            leaves = directive.args[-1] in _LEAVES or directive.args[1].startswith(("http://", "https://", "$scheme"))
            if matches and leaves:
                return Answer.ITSELF
            if matches and directive.args[-1] in ("last", "break"):
                return None
        if directive.name == "break":
            return None
    return None


def _holds(request: Request, args: list[str]) -> bool:
    """Return whether a condition is known to hold: a comparison of what the request itself says."""
    words = list(_condition(args))
    if len(words) != 3 or words[1] not in ("=", "!="):
        return False
    scheme = "https" if request.listen.tls else "http"
    known = {
        "scheme": scheme,
        "https": "on" if request.listen.tls else "",
        "host": request.host.lower(),
        "http_host": request.host,
        "server_port": str(request.listen.port),
        "request_method": "GET",
        "uri": request.path,
        "http_x_forwarded_proto": "",
    }
    left, right = variables.expand(words[0], known), variables.expand(words[2], known)
    return left is not None and right is not None and (left == right) == (words[1] == "=")


def _condition(args: list[str]) -> Iterator[str]:
    """Yield the words of a condition without its brackets."""
    for number, word in enumerate(args):
        bare = word.removeprefix("(") if number == 0 else word
        bare = bare.removesuffix(")") if number == len(args) - 1 else bare
        if bare or word not in ("(", ")"):
            yield bare


def _fallback(block: Directive) -> str | None:
    """Return what comes where try_files finds no file: a path, @name or =code; None without try_files."""
    tries = block.inner("try_files")
    return tries[0].args[-1].partition("?")[0] if tries else None


def _passed(server: Server, chain: location.Chain) -> Place | Answer:
    inside = next((inner for inner in (chain[-1].block if chain else None) or () if is_pass(inner)), None)
    return Place(inside, (*server.above, *chain)) if inside else Answer.FILES


def _refuses(above: tuple[Directive, ...]) -> bool:
    """Return whether a request of this machine, without a password, is refused inside these blocks."""
    place = Place(above[-1], above)
    if any(first.args[:1] != ["off"] for name in ("auth_basic", "auth_request") for first in place.inherited(name)[:1]):
        return True
    rules = next((rules for outer in reversed(above) if (rules := _rules(outer))), [])
    return next((rule.name == "deny" for rule in rules if rule.args[0] in _OURS), False)


def _rules(block: Directive) -> list[Directive]:
    return [inner for inner in block.block or () if inner.name in ("allow", "deny") and inner.args]


def _refuses_tls(request: Request, server: Server) -> bool:
    """Return whether nginx asks for a client's certificate, or speaks TLS with nobody who asks for this server."""
    place = Place(server.place.directive, server.above)
    said = [first for name in ("ssl_verify_client", "ssl_reject_handshake") for first in place.inherited(name)[:1]]
    return request.listen.tls and any(directive.args[:1] == ["on"] for directive in said)
