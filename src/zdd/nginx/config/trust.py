r"""
Whose word counts about a client: X-Forwarded-For, -Proto, -Host and X-Real-IP, and the PROXY protocol.

A proxy before this nginx, such as a load balancer, is believed; anybody else is a visitor, whose own words are dropped.
Of several proxies in a row each adds a word. nginx's realip module takes the last address that is none of theirs as
the client's, and what stands before that, a visitor's own words, is left out: many apps believe the first address.
Of a protocol or a host the first word counts, as the proxy next to the client has written it.

Names that CGI and WSGI cannot tell apart are dropped: `X_Forwarded_For` would be HTTP_X_FORWARDED_FOR there, too.

Cost with nginx 1.22.1, CPU a request: a visitor 15.8 us (15.7 if everybody is believed), a proxy with these headers 17.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from msgspec import Struct

from zdd.conf.networks import PRIVATE
from zdd.nginx.config import proxy_line
from zdd.nginx.config.access import REQUEST_START
from zdd.nginx.config.mark import REQUEST_HEADER

EVERYBODY = "map $http_x_forwarded_proto $zdd_proto {"  # how a text begins to believe everybody, as before 0.2

_PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7")
_TOLD_BY_PROXIES = (  # what more trusted proxies may say; each name costs a request of a visitor 0.1 us
    *(f"X-Forwarded-{word}" for word in ("Prefix", "User", "Email", "Groups")),
    "X-Script-Name",
    "X-Original-URL",
    "CF-Connecting-IP",
    "CF-Visitor",
)
# Servers and frameworks believe these, too. An app that needs one from a proxy gets it by lines of server_include.
_DROPPED = (
    "Forwarded",
    "X-Forwarded",
    *(f"X-Forwarded-{word}" for word in ("By", "Port", "Protocol", "Scheme", "Server", "Ssl")),
    *(f"X-Forwarded-{word}" for word in ("Method", "Path", "Uri", "Url", "Preferred-Username", "Access-Token")),
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Tls-Client-Cert",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "Client-IP",
    "True-Client-IP",
    "Front-End-Https",
    *("X-Url-Scheme", "X-Rewrite-URL"),
    "X-Scheme",  # Tornado believes it before X-Forwarded-Proto
    "X-Sendfile-Type",  # Rack would have nginx send any file that a location leads to:
    "X-Accel-Mapping",  # https://github.com/rails/rails/issues/41148
    "Proxy",  # a CGI program would send its own requests through it: https://httpoxy.org
)
_SET = (
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Request-ID",
    REQUEST_START,
    REQUEST_HEADER,
)
_OF_USERS = ("Remote-User", "X-Remote-User", "X-Auth-Request-User", "X-Auth-Request-Email")  # set by proxies for auth

_SCHEMES = r"""    "~*^ *(https|wss)\b" https;  # of "https,http" the first word
    "~*^ *(http|ws)\b" http;
"""

_BELIEVED = rf"""map $zdd_trusted $zdd_proto {{ default $scheme; 1 $zdd_proto_told; }}
map $http_x_forwarded_proto $zdd_proto_told {{
    default $scheme;
    "" $scheme;
    https https;
    http http;
{_SCHEMES}}}
map $zdd_trusted $zdd_forwarded_host {{ default $zdd_host; 1 $zdd_host_told; }}
map $http_x_forwarded_host $zdd_host_told {{
    default $zdd_host;
    "" $zdd_host;
    "~^ *(?<zdd_first_host>[^, ]+)" $zdd_first_host;
}}
"""

# Where realip has found the client in X-Forwarded-For, it is $remote_addr; what follows it there are the proxies.
_CHAIN = r"""map $zdd_trusted $zdd_client { default $remote_addr; 1 $zdd_client_told; }
map $http_x_forwarded_for $zdd_client_told { default $remote_addr; "" $zdd_real_ip; }
map $http_x_real_ip $zdd_real_ip { default $remote_addr; "~^[0-9a-fA-F.:]+$" $http_x_real_ip; }
map $zdd_trusted $zdd_forwarded_for { default $realip_remote_addr; 1 $zdd_for_told; }
map "$realip_remote_addr $zdd_client $http_x_forwarded_for" $zdd_for_told {
    default $realip_remote_addr;
    "~^(\S+) (?!\1 )(\S+) (?:.*[ ,])?(?<zdd_chain>\[?\2(?:\]?:[0-9]+|\])?(?:[ ,].*)?)$"
        "$zdd_chain, $realip_remote_addr";
    "~^(\S+) (?!\1 )" "$zdd_client, $realip_remote_addr";
}
"""

# A hundredth of the connections is enough, and those that nginx begins with: visitors cannot fill a disk by it.
_UNTRUSTED = r"""log_format zdd_untrusted 'zdd: $time_iso8601 X-Forwarded-Proto from $zdd_peer at $server_addr: '
    'trusted_proxies does not say whether to believe it';
map $http_x_forwarded_proto $zdd_claims { default $zdd_claims_untrusted; "" ""; }
map "$zdd_trusted $connection_requests $connection" $zdd_claims_untrusted {
    default "";
    "~^0 1 (?:.{1,3}|.*00)$" 1;
}
access_log LOG zdd_untrusted if=$zdd_claims;
"""


class Trust(Struct, frozen=True):
    """
    Who is believed: the networks of proxies, among them "private"; None for everybody, as before 0.2.

    With `proxy_protocol` connections begin with a line of the PROXY protocol; those of `lines` are believed. With
    `asks` the error log is told who says X-Forwarded-Proto without being named, because nobody has said who may.
    """

    proxies: Sequence[str] | None = (PRIVATE,)
    proxy_protocol: bool = False
    lines: Sequence[str] = (PRIVATE,)
    asks: bool = False

    @property
    def needs_realip(self) -> bool:
        """Whether nginx needs its realip module for it."""
        return self.proxy_protocol or bool(self.proxies)

    @property
    def client(self) -> str:
        """The variable with the client's address, as far as it is known."""
        return "$zdd_client" if self.proxies else "$remote_addr"

    @property
    def scheme(self) -> str:
        """The variable that says by which protocol a visitor came."""
        return "$scheme" if self.proxies is not None and not self.proxies else "$zdd_proto"


def chosen(proxies: Sequence[str] | None, proxy_protocol: bool, ends_tls: bool, everybody: bool) -> Trust:
    """
    Return whom to believe; `proxies` are None where nobody has said it.

    Then it is private networks, where a proxy before this nginx ends TLS; where zdd ends TLS itself it is nobody. With
    `everybody` the text before believed everybody, and goes on so. The PROXY protocol is only spoken by proxies, so
    where nobody has said it, private networks may speak it.
    """
    if proxies is not None:
        return Trust(tuple(proxies), proxy_protocol, tuple(proxies))
    unsaid = () if ends_tls else None if everybody else (PRIVATE,)
    return Trust(unsaid, proxy_protocol, asks=True)


def lines(trust: Trust, log: str) -> str:
    """
    Return the lines for the http level: what is found out about the client, and the headers that say it to apps.

    `log` is the error log, as a word of nginx's language.
    """
    parts = [*_realip(trust), *_trusted(trust, log)]
    if trust.proxies is None:
        parts.append(f"{EVERYBODY}\n    default $scheme;\n    https https;\n    http http;\n{_SCHEMES}}}\n")
    elif trust.proxies:
        chain = proxy_line.lines(networks(trust.proxies)) if trust.proxy_protocol else _CHAIN
        parts += [chain, _BELIEVED]
        parts += (_passed_on(name) for name in _TOLD_BY_PROXIES)
    names = (*_SET, *_TOLD_BY_PROXIES, *_DROPPED, *_OF_USERS)
    headers = [*_headers(trust), *(" ".join(_dropped(other) for other in _spellings(name)) for name in names)]
    return "".join(parts) + "".join(f"{line}\n" for line in headers if line)


def believes_everybody(text: str) -> bool:
    """Return whether a text believes everybody's X-Forwarded-Proto, as every text of before 0.2 does."""
    return EVERYBODY in text


def networks(names: Sequence[str]) -> list[str]:
    """
    Return these networks, private ones by their addresses.

    >>> networks(["192.0.2.1", "private"])[:2]
    ['192.0.2.1', '127.0.0.0/8']
    """
    return list(dict.fromkeys(each for name in names for each in (_PRIVATE if name == PRIVATE else (name,))))


def _realip(trust: Trust) -> Iterator[str]:
    if trust.proxy_protocol:
        yield from (f"set_real_ip_from {network};\n" for network in networks(trust.lines))
        yield "real_ip_header proxy_protocol;\n"
    elif trust.proxies:
        yield from (f"set_real_ip_from {network};\n" for network in networks(trust.proxies))
        yield "real_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n"


def _trusted(trust: Trust, log: str) -> Iterator[str]:
    """Yield whether who speaks HTTP to this nginx is trusted; behind the PROXY protocol that is whom its line names."""
    if not (trust.proxies or trust.asks):
        return
    peer = "$remote_addr" if trust.proxy_protocol or trust.proxies is None else "$realip_remote_addr"
    known = networks([PRIVATE] if trust.proxies is None else trust.proxies)
    found = "$zdd_known" if trust.proxy_protocol else "$zdd_trusted"
    yield f"geo {peer} {found} {{\n    default 0;\n" + "".join(f"    {each} 1;\n" for each in known) + "}\n"
    if trust.proxy_protocol:  # a line may name nobody (UNKNOWN, LOCAL); then the peer is who passes TCP on
        yield f'map $proxy_protocol_addr $zdd_trusted {{ default {found}; "" 0; }}\n'
    if trust.asks:
        yield _UNTRUSTED.replace("$zdd_peer", peer).replace("LOG", log)


def _headers(trust: Trust) -> Iterator[str]:
    if trust.proxies is None:
        values = ("$remote_addr", "$proxy_add_x_forwarded_for", "$zdd_proto", "$zdd_host")
    elif trust.proxies:
        values = (trust.client, "$zdd_forwarded_for", "$zdd_proto", "$zdd_forwarded_host")
    else:
        values = ("$remote_addr", "$remote_addr", "$scheme", "$zdd_host")
    for name, value in zip(_SET, values, strict=False):
        yield f"proxy_set_header {name} {value};"
    if trust.proxies is not None:
        for name in _TOLD_BY_PROXIES:
            yield f"proxy_set_header {name} {_told(name)};" if trust.proxies else _dropped(name)
        yield from map(_dropped, _DROPPED)


def _dropped(name: str) -> str:
    return f'proxy_set_header {name} "";'


def _spellings(name: str) -> Iterator[str]:
    """
    Yield the other names that are the same to CGI.

    >>> list(_spellings("X-Real-IP"))
    ['X-Real_IP', 'X_Real-IP', 'X_Real_IP']
    """
    words = name.split("-")
    for marks in itertools.product("-_", repeat=len(words) - 1):
        if "_" in marks:
            yield words[0] + "".join(mark + word for mark, word in zip(marks, words[1:], strict=True))


def _passed_on(name: str) -> str:
    return f'map $zdd_trusted {_told(name)} {{ default ""; 1 $http_{_variable(name)}; }}\n'


def _told(name: str) -> str:
    return f"$zdd_told_{_variable(name)}"


def _variable(name: str) -> str:
    return name.lower().replace("-", "_")
