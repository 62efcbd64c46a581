"""What visitors lose where HTTPS is turned on or off: said before it is done."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zdd.conf.nginx_section import NginxSection
from zdd.conf.units import DAY
from zdd.errors import counted
from zdd.finding import Finding, warning
from zdd.nginx.config import listen, parse, tls

_SPEAKS_TLS = re.compile(r"^ *listen \S+ ssl\b", re.MULTILINE)


def findings(nginx: NginxSection, text: str) -> Iterator[Finding]:
    """Yield what the section [nginx] changes for those who ask zdd's own nginx, which has this text now."""
    was_tls = " ssl" in text and _SPEAKS_TLS.search(text) is not None
    if text and nginx.is_tls and not was_tls:
        yield from _turned_on(nginx, text)
    elif was_tls and not nginx.is_tls and (seconds := tls.hsts_of(text)):
        days = counted(-(-seconds // DAY), "day")
        yield warning(
            f"nginx no longer speaks HTTPS, and browsers that have seen its hsts ask by HTTPS alone, for up to {days}",
            "they do not reach the site, unless a proxy before this nginx speaks HTTPS for it",
            "leave https or certificate in [nginx] until then",
        )


def _turned_on(nginx: NginxSection, text: str) -> Iterator[Finding]:
    if nginx.redirect_https and nginx.trusted_proxies is None:
        yield warning(
            "plain requests are redirected to HTTPS from now on, also those of a proxy that ends TLS before this nginx",
            "visitors of such a proxy (Cloudflare, a load balancer) are redirected for ever, as it is not believed",
            "where there is one, set trusted_proxies in [nginx] to its addresses, or redirect_https = false",
        )
    if not nginx.listen_is_set:
        kept = {port for address in nginx.listen if (port := listen.port(address))}
        gone = sorted({port for _, port in listen.sockets(parse.parse(text))} - kept)
        for port in gone:
            yield warning(
                f"nginx no longer listens on port {port}: with HTTPS it listens on {' and '.join(nginx.listen)}",
                "whoever asks there, such as a proxy before it, is refused",
                f'listen = ["{nginx.listen[0]}", "127.0.0.1:{port}"] in [nginx] keeps it',
            )
