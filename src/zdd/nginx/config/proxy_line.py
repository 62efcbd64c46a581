"""
Who the client is, where connections begin with a line of the PROXY protocol and proxies of HTTP stand before that.

As with Cloudflare before a load balancer of TCP: the line names Cloudflare, and X-Forwarded-For the visitor. nginx's
realip module reads the line and nothing else, so X-Forwarded-For is read here, from its end: as long as an address is
a trusted proxy's, the one before it counts, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

HOPS = 3
"""So many proxies of HTTP are believed in a row, the one that the line names among them."""

_BETWEEN = "[ ,]+"
_WORD = "[^ ,]+"


def lines(networks: Sequence[str]) -> str:
    """
    Return the lines for the http level that define $zdd_client, and $zdd_forwarded_for, which begins with it.

    $zdd_trusted says whether the address in the line belongs to one of these networks of proxies.
    """
    return "".join([*(line for hop in range(1, HOPS + 1) for line in _hop(hop, networks)), *_found()])


def _hop(hop: int, networks: Sequence[str]) -> Iterator[str]:
    """Yield what stands so far from the end of X-Forwarded-For, from there to the end, and how far it goes on."""
    after = f"(?:{_BETWEEN}{_WORD}){{{hop - 1}}}"
    absent = "$zdd_real_ip" if hop == 1 else '""'  # a proxy may say X-Real-IP alone
    yield f"""\
map $http_x_forwarded_for $zdd_hop_{hop} {{
    default "";
    "" {absent};
    "~(?:^|[ ,])(?<zdd_hop_{hop}_4>[0-9.]+)(?::[0-9]+)?{after} *$" $zdd_hop_{hop}_4;
    "~(?:^|[ ,])\\[?(?<zdd_hop_{hop}_6>[0-9a-fA-F:.]+)(?:\\](?::[0-9]+)?)?{after} *$" $zdd_hop_{hop}_6;
}}
map $http_x_forwarded_for $zdd_tail_{hop} {{
    default $zdd_hop_{hop};
    "~(?:^|[ ,])(?<zdd_from_{hop}>{_WORD}{after}) *$" $zdd_from_{hop};
}}
"""
    if hop == HOPS:
        yield f'map $zdd_hop_{hop} $zdd_hops_{hop} {{ default {hop}; "" {hop - 1}; }}\n'
        return
    known = "".join(f"    {each} 1;\n" for each in networks)
    yield f"geo $zdd_hop_{hop} $zdd_trusted_{hop} {{\n    default 0;\n{known}}}\n"
    yield f"map $zdd_trusted_{hop} $zdd_more_{hop} {{ default {hop}; 1 $zdd_hops_{hop + 1}; }}\n"
    yield f'map $zdd_hop_{hop} $zdd_hops_{hop} {{ default $zdd_more_{hop}; "" {hop - 1}; }}\n'


def _found() -> Iterator[str]:
    yield 'map $http_x_real_ip $zdd_real_ip { default ""; "~^[0-9a-fA-F.:]+$" $http_x_real_ip; }\n'
    yield "map $zdd_trusted $zdd_hops { default 0; 1 $zdd_hops_1; }\n"
    clients = "".join(f"{hop} $zdd_hop_{hop}; " for hop in range(1, HOPS + 1))
    yield f"map $zdd_hops $zdd_client {{ default $remote_addr; {clients}}}\n"
    chains = "".join(f'{hop} "$zdd_tail_{hop}, $remote_addr"; ' for hop in range(1, HOPS + 1))
    yield f"map $zdd_hops $zdd_forwarded_for {{ default $remote_addr; {chains}}}\n"
