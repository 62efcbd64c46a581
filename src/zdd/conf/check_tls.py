"""HTTPS by zdd's own nginx: its defaults, and settings that contradict each other."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from zdd.conf import hosts
from zdd.conf.document import Document
from zdd.conf.nginx_section import NginxSection
from zdd.conf.refusals import Refusal
from zdd.conf.services import Service

CHALLENGES = "/.well-known/acme-challenge/"  # where certificate authorities look (RFC 8555)

_ACME = ("acme_email", "acme_server")
_TLS = ("https_listen", "redirect_https", "hsts")
_KEYS = ("https", *_ACME, "certificate", "certificate_key", *_TLS, "canonical_host")
_PLAIN_PORT = "80"
_EVERYWHERE = ("", "*", "0.0.0.0")  # of IPv4
_ALL = ("", "[::]")


def with_defaults(nginx: NginxSection) -> NginxSection:
    """Return the section with the default of `listen` that HTTPS has."""
    return replace(nginx, listen=[_PLAIN_PORT]) if nginx.is_tls and not nginx.listen_is_set else nginx


def names(nginx: NginxSection, services: Iterable[Service]) -> list[str]:
    """Return, in order and once each, the names that visitors ask the services for, as nginx compares them."""
    given = [host for service in services if service.is_routed for host in service.host or nginx.server_name]
    return list(dict.fromkeys(name for host in given for name in hosts.meant(host)))


def nginx(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> Iterator[Refusal]:
    """Check what [nginx] says of HTTPS, and what that needs from the services."""
    given = document.sections.get("nginx", {})
    if "nginx" in document.classic:
        return
    if owner := nginx.owner:
        for key in (key for key in _KEYS if key in given):
            what = f"{key} has no effect with {owner}; set it in that server block"
            yield document.error("nginx", what, key=key)
        return
    yield from _files_or_authority(document, nginx)
    yield from _needed(document, nginx)
    if nginx.is_tls:
        yield from _ports(document, nginx)
    if nginx.https == "auto":
        yield from _authority(document, nginx, services)
    if nginx.canonical_host:
        yield from _canonical(document, nginx, services)


def _files_or_authority(document: Document, nginx: NginxSection) -> Iterator[Refusal]:
    """Check that certificates come from one place, and that both files are named."""
    auto = document.setting("https", "auto")
    if nginx.https == "auto" and nginx.certificate:
        what = f"{auto} and certificate exclude each other: zdd would replace that file by one of its own"
        yield document.error("nginx", what, key="certificate")
    elif nginx.https == "auto" and nginx.certificate_key:
        yield document.error("nginx", f"{auto} and certificate_key exclude each other", key="certificate_key")
    elif (nginx.certificate is None) != (nginx.certificate_key is None):
        here, missing = "certificate", "certificate_key"
        if nginx.certificate is None:
            here, missing = missing, here
        yield document.error("nginx", f"{here} needs {missing}, too: nginx reads both files", key=here)


def _needed(document: Document, nginx: NginxSection) -> Iterator[Refusal]:
    """Refuse keys that mean nothing without others."""
    given, auto = document.sections.get("nginx", {}), document.setting("https", "auto")
    for key in _ACME:
        if key in given and nginx.https != "auto":
            yield document.error("nginx", f"{key} has no effect without {auto}", key=key)
    for key in _TLS:
        if key in given and not nginx.is_tls and nginx.certificate_key is None:
            what = f"{key} has no effect without HTTPS: set {auto}, or certificate and certificate_key"
            yield document.error("nginx", what, key=key)


def _ports(document: Document, nginx: NginxSection) -> Iterator[Refusal]:
    """Refuse an address that is both `listen` and `https_listen`, or that stands there twice."""
    plain = [_parts(address) for address in nginx.listen]
    seen: set[tuple[str, int]] = set()
    for address in nginx.https_listen:
        host, port = _parts(address)
        setting = document.setting("https_listen", address)
        if (host, port) in seen:
            yield document.error("nginx", f"{setting} is there twice; leave one out", key="https_listen")
        elif any(port == other and (host == near or {host, near} & {*_ALL}) for near, other in plain):
            what = f"{setting} has the port of listen, too: one port speaks either HTTP or HTTPS"
            yield document.error("nginx", what, key="https_listen")
        seen.add((host, port))


def _parts(address: str) -> tuple[str, int]:
    """Return host and port of an address; the host is empty for every address of IPv4."""
    host, _, port = address.rpartition(":")
    return "" if host in _EVERYWHERE else host.lower(), int(port)


def _authority(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> Iterator[Refusal]:
    """Check that every name is one that a certificate authority certifies over HTTP."""
    auto, prefix = document.setting("https", "auto"), document.service_prefix
    for host in nginx.server_name:
        if why := _uncertified(host, nginx.acme_server is None):
            yield document.error("nginx", f"server_name {host} with {auto}: {why}", key="server_name")
    for name, service in services.items():
        if not service.is_routed:
            continue
        if not service.host and not nginx.server_name:
            what = f"needs host with {auto} in [nginx]: a certificate is for a name such as shop.example.org"
            yield document.error(prefix + name, what)
        for host in service.host:
            if why := _uncertified(host, nginx.acme_server is None):
                yield document.error(prefix + name, f"host {host} with {auto} in [nginx]: {why}", key="host")
        if service.path in (CHALLENGES, CHALLENGES.rstrip("/")):
            what = f"path {service.path} with {auto} in [nginx]: zdd answers the certificate authority there"
            yield document.error(prefix + name, what, key="path")


def _uncertified(host: str, is_public: bool) -> str | None:
    """Return why no authority certifies this name, `is_public` none of the public ones; None if one may."""
    if hosts.is_pattern(host):
        instead = "name each host" if host.startswith("~") else "name each host, or set certificate"
        return f"an authority certifies a pattern by DNS only; {instead}"
    if hosts.is_address(host):
        return "certificates are for names, not for addresses"
    if "_" in host:
        return "a name with _ gets no certificate"
    if is_public and "." not in host.rstrip("."):
        return "a public authority certifies only names with a dot, such as shop.example.org"
    return None


def _canonical(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> Iterator[Refusal]:
    known = names(nginx, services.values())
    if str(nginx.canonical_host).lower() not in known:
        setting = document.setting("canonical_host", str(nginx.canonical_host))
        plain = [name for name in known if not hosts.is_pattern(name)]
        instead = f"it may be {' or '.join(plain[:5])}" if plain else "add it to host of a service"
        yield document.error("nginx", f"{setting} is no host of a service; {instead}", key="canonical_host")
