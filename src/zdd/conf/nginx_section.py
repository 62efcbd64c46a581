"""The keys of [nginx]."""

from typing import Annotated, Literal

from msgspec import Struct, field

from zdd.conf import kinds
from zdd.conf.kinds import doc


class NginxSection(Struct, frozen=True, kw_only=True):
    """The proxy in front of the services."""

    template: Annotated[kinds.AbsPath | None, doc("Your own nginx configuration, a .template.")] = None
    pid_file: Annotated[
        kinds.AbsPath | None, doc("Where nginx writes its process number: the template's, or the one that includes.")
    ] = None
    listen: Annotated[
        kinds.Listen, doc("Where zdd's own nginx listens; a bare port: every address, of IPv6 too; 80 with HTTPS.")
    ] = field(default_factory=lambda: ["127.0.0.1:8080"])
    https_listen: Annotated[kinds.Listen, doc("Where it speaks HTTPS, with https or certificate.")] = field(
        default_factory=lambda: ["443"]
    )
    https: Annotated[kinds.Https, doc("auto: certificates for all hosts that services name, by ACME (certbot).")] = (
        "off"
    )
    acme_email: Annotated[kinds.Email | None, doc("Where the certificate authority may write to.")] = None
    acme_server: Annotated[kinds.HttpsUrl | None, doc("Its directory's URL; Let's Encrypt if not set.")] = None
    certificate: Annotated[kinds.AbsPath | None, doc("Instead of https: a certificate file (PEM, with its chain).")] = (
        None
    )
    certificate_key: Annotated[kinds.AbsPath | None, doc("Its private key (PEM), which only you may read.")] = None
    redirect_https: Annotated[kinds.YesNo, doc("With HTTPS: whether plain requests are redirected there (301).")] = True
    hsts: Annotated[kinds.Hsts, doc("How long browsers ask by HTTPS only; it cannot be taken back sooner.")] = 0
    canonical_host: Annotated[
        kinds.HostName | None, doc("The host that all others with the same routes are redirected to (301).")
    ] = None
    server_name: Annotated[kinds.Hosts, doc("Host names that zdd's own nginx answers to.")] = []
    client_max_body_size: Annotated[kinds.Size, doc("The largest request body; 0 for no limit.")] = 100 * 1024**2
    proxy_read_timeout: Annotated[kinds.Timeout, doc("How long nginx waits for an answer's next part.")] = 60.0
    include: Annotated[kinds.AbsPath | None, doc("File of upstreams that zdd writes for another nginx.")] = None
    reload: Annotated[kinds.Shell | None, doc("Command that reloads that nginx.")] = None
    test: Annotated[kinds.Shell | None, doc("Command that tests that nginx's configuration first.")] = None
    binary: Annotated[kinds.AbsPath | None, doc("The nginx program; found by itself if not set.")] = None
    user: Annotated[kinds.UserName | None, doc("The user of nginx's workers; found by itself if not set.")] = None
    trusted_proxies: Annotated[
        kinds.Proxies | None, doc("Whose X-Forwarded-* is believed; private where zdd ends no TLS, else none.")
    ] = None
    proxy_protocol: Annotated[kinds.YesNo, doc("Connections begin with a line of the PROXY protocol.")] = False
    gzip: Annotated[kinds.YesNo, doc("Compress static files; never answers of apps, which may hold secrets.")] = True
    server_include: Annotated[kinds.AbsPath | None, doc("File with nginx lines of yours for each server block.")] = None
    server_lines: str = ""  # what that file had when the configuration was read
    access_log: Annotated[
        kinds.AccessLog,
        doc("Whether zdd's own nginx logs requests; or the log that your server block writes in zdd's format."),
    ] = True
    listen_is_set: bool = False  # whether the file has the key: the default depends on what nginx did before

    @property
    def owner(self) -> Literal["template", "include"] | None:
        """The key that says who writes the server blocks; None for zdd's own text."""
        return "template" if self.template else "include" if self.include else None

    @property
    def is_tls(self) -> bool:
        """Whether zdd's own nginx speaks HTTPS."""
        return self.https == "auto" or self.certificate is not None

    @property
    def addresses(self) -> list[str]:
        """Where zdd's own nginx is to listen, for plain HTTP and for HTTPS."""
        return [*self.listen, *(self.https_listen if self.is_tls else ())]

    @property
    def rendered(self) -> str | None:
        """Where the template is rendered: beside itself, without .template."""
        return str(self.template).removesuffix(".template") if self.template else None
