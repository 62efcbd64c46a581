"""Which certificate zdd's own nginx has for which host, from the configuration and what is below S."""

from __future__ import annotations

import re

from msgspec.structs import replace

from zdd.conf import check_tls
from zdd.conf.schema import Config
from zdd.host import files
from zdd.host.command import Commands
from zdd.layout import Layout
from zdd.nginx.certificates import pem_files
from zdd.nginx.certificates.store import FILES, PLACEHOLDER, CertificateStore
from zdd.nginx.config import parse
from zdd.nginx.config.tls import Certificate, Tls

# As servers.py writes it; to parse the whole text would cost a status of a thousand services a second.
_IN_TEXT = re.compile(r"^ *(ssl_certificate .*;\n *ssl_certificate_key .*;\n *server_name .*;)$", re.MULTILINE)
_NONE = "none"  # no pair's digest: `require` refuses such a text beforehand


def store(paths: Layout) -> CertificateStore:
    """Return what keeps the project's certificates."""
    return CertificateStore(paths.certificates)


def hosts(config: Config) -> list[str]:
    """Return the names that visitors ask this project's services for, as nginx compares them."""
    return check_tls.names(config.nginx, config.services.values())


def tls(config: Config, paths: Layout) -> Tls | None:
    """Return how zdd's own nginx speaks HTTPS; None if it does not."""
    nginx = config.nginx
    if not nginx.is_tls:
        return None
    return Tls(nginx.https_listen, of(config, paths), nginx.redirect_https, nginx.hsts)


def of(config: Config, paths: Layout) -> list[Certificate]:
    """
    Return the certificates that stand in nginx's text.

    With `certificate` it is that file's, for every host. With ACME each host has its own; what has been issued is below
    the host's name in the store, and until then the placeholder stands there.
    """
    known = store(paths)
    if config.nginx.https == "auto":
        return [_issued(known, host) for host in hosts(config)]
    return [known.certificate(FILES, chosen(config, paths) or _NONE, [])]


def chosen(config: Config, paths: Layout) -> str | None:
    """Return the digest of the files' pair, or while that is of no use, of the one in force; None if there is none."""
    known = store(paths)
    pair = pem_files.usable(config.nginx, known, hosts(config))
    return pair.digest if pair else known.current(FILES)


def in_force(paths: Layout) -> list[Certificate]:
    """Return the certificates in the text that nginx was given last: a changed file is not among them yet."""
    found: dict[str, Certificate] = {}
    for lines in _IN_TEXT.findall(files.read(paths.nginx_conf) or ""):
        (certificate,), (key,), names = (directive.args for directive in parse.parse(lines))
        before = found.get(certificate, Certificate([], certificate, key, f"/{PLACEHOLDER}/" in certificate))
        named = [name for name in names if name != "_"]
        found[certificate] = replace(before, names=[*before.names, *named])
    return list(found.values())


def is_in_use(config: Config, paths: Layout) -> bool:
    """Return whether the text that nginx was given last names the certificates that it should have now."""
    text = files.read(paths.nginx_conf) or ""
    return all(certificate.certificate in text for certificate in of(config, paths))


def make(config: Config, paths: Layout, commands: Commands) -> None:
    """Write the files that the text names: those of the configuration, or the placeholder."""
    known = store(paths)
    if config.nginx.https == "auto":
        if any(certificate.is_placeholder for certificate in of(config, paths)):
            from zdd.nginx.certificates import placeholder  # here and below, because it is needed once

            placeholder.make(known, commands)
    elif pair := pem_files.usable(config.nginx, known, hosts(config)):
        known.install(FILES, pair, keep=[files.read(paths.nginx_conf) or ""])


def require(config: Config, paths: Layout) -> None:
    """Raise UsageError if there is no certificate that nginx could start with."""
    known = store(paths)
    if config.nginx.https == "auto":
        if any(certificate.is_placeholder for certificate in of(config, paths)):
            from zdd.nginx.certificates import placeholder

            placeholder.require(known)
    elif config.nginx.certificate and known.current(FILES) is None:
        pem_files.require_match(config.nginx, pem_files.read(config.nginx))


def _issued(known: CertificateStore, host: str) -> Certificate:
    if digest := known.current(host):
        return known.certificate(host, digest, [host])
    return known.placeholder([host])
