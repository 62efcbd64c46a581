"""
The servers of an upstream (https://nginx.org/en/docs/http/ngx_http_upstream_module.html).

Pooled connections. `keepalive 64` saves a connect per request. The two bounds of 60 ms make nginx, not the app, close
the pooled connections, and soon: after a switch none of them leads to the old instance for longer than their sum, and
no app that stops closes one, which would cost a POST (nginx does not repeat a POST on a connection that broke). At
1,000 requests/s such a pool costs the proxy what one of 1 s does. Without `keepalive_time`, which is new in nginx
1.19.10, connections could last longer, so there is no pool then. nginx 1.29.7 and later pool by default, for up to an
hour: so the bounds are written wherever they exist.

Failures. For a single server nginx ignores max_fails. For several, each worker process leaves a server out for
fail_timeout after max_fails failures (a refused connect, a reset, a timeout), by default for 10 s after one. Once all
are left out, every request is answered 502, "no live upstreams", although the instances may be back. Measured with
1.22.1 and 1.31.3 (two slots, both dead for 2 s, 200 requests/s; then 10 of 20 dead, 400 requests/s for 3 s):

    max_fails, fail_timeout      502 after they are back    502 while 10 of 20 are dead    lines in the error log
    1, 10s (nginx's default)     for up to 10 s             10 of 1200                     20
    0 (never left out)           none                       370 of 1200                    810
    1, 1s                        for 1.3 s                  18 of 1200                     40
    1, 1s, and backups           none                       18 of 1200                     40

So nginx leaves a server out for a second or two (a dead slot costs each worker one refused connect a second, and that
request goes on to the next slot), and each server stands in the text again as its own `backup`, used only when all are
left out. No slot is unreachable because of something that happened before a deploy.

`hash` takes no backups. There, servers are never left out: what has failed in the moment of a crash may wait at the
same slot right afterwards, since the slot of an instance that is down leads to another one, or holds its connections
(keeper/outage.py). Only one whose keeper was killed, too, refuses, and then the request goes on to the next server.
"""

from __future__ import annotations

from collections.abc import Sequence

from zdd.nginx.config import parse
from zdd.nginx.config import version as versions
from zdd.nginx.config.version import Version

_POOL = ["keepalive 64;", "keepalive_time 60ms;", "keepalive_timeout 60ms;"]
_NOWHERE = "server 127.0.0.1:1 down;"  # an upstream must have a server; nginx never tries this one and answers 502


def servers(targets: Sequence[str], version: Version, backups: bool = True, key: str | None = None) -> str:
    """
    Return the lines inside an upstream block for `targets`, each "unix:PATH" or "HOST:PORT".

    `backups` is False for a block with a method that accepts none (ip_hash, hash, random). `key` is the variable by
    which a client meets the same target again: it makes `hash` the block's method, which accepts no backups either.
    """
    method = [f"hash {key} consistent;"] if key else []  # before keepalive, which nginx demands
    if len(targets) > 1 and key:
        lines = [f"server {quoted(target)} max_fails=0;" for target in targets]
    elif len(targets) > 1:
        lines = [f"server {quoted(target)} max_fails=1 fail_timeout=1s;" for target in targets]
        if backups:
            lines += [f"server {quoted(target)} max_fails=0 backup;" for target in targets]
    else:
        lines = [f"server {quoted(target)};" for target in targets] or [_NOWHERE]
    return "\n".join(method + lines + (_POOL if version >= versions.KEEPALIVE_TIME else []))


def block(name: str, targets: Sequence[str], version: Version, key: str | None = None) -> str:
    """Return a whole upstream block."""
    lines = servers(targets, version, key=key).replace("\n", "\n    ")
    return f"upstream {quoted(name)} {{\n    {lines}\n}}\n"


def quoted(word: str) -> str:
    """Return the text as one word of nginx's language: quoted if a character in it would end the word."""
    if word and not set(word) & set(" \t\r\n;{}\"'\\#"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def ports(text: str) -> set[str]:
    """Return the ports that the text's upstreams connect to."""
    servers = [directive.args[0] for directive in parse.every(parse.parse(text), "server")]
    return {server.rpartition(":")[2] for server in servers if not server.startswith("unix:")}
