"""The keys of [nginx]."""

from typing import Annotated

from msgspec import Struct, field

from zdd.conf import kinds
from zdd.conf.kinds import doc


class NginxSection(Struct, frozen=True, kw_only=True):
    """The proxy in front of the services."""

    template: Annotated[kinds.AbsPath | None, doc("Your own nginx configuration, a .template.")] = None
    pid_file: Annotated[
        kinds.AbsPath | None, doc("Where nginx writes its process number: the template's, or the one that includes.")
    ] = None
    listen: Annotated[kinds.Listen, doc("Where zdd's own nginx listens; a bare port: on every address.")] = field(
        default_factory=lambda: ["127.0.0.1:8080"]
    )
    server_name: Annotated[kinds.Hosts, doc("Host names that zdd's own nginx answers to.")] = []
    client_max_body_size: Annotated[kinds.Size, doc("The largest request body; 0 for no limit.")] = 100 * 1024**2
    proxy_read_timeout: Annotated[kinds.Timeout, doc("How long nginx waits for an answer's next part.")] = 60.0
    include: Annotated[kinds.AbsPath | None, doc("File of upstreams that zdd writes for another nginx.")] = None
    reload: Annotated[kinds.Shell | None, doc("Command that reloads that nginx.")] = None
    test: Annotated[kinds.Shell | None, doc("Command that tests that nginx's configuration first.")] = None
    binary: Annotated[kinds.AbsPath | None, doc("The nginx program; found by itself if not set.")] = None
    user: Annotated[kinds.UserName | None, doc("The user of nginx's workers; found by itself if not set.")] = None
    access_log: Annotated[
        kinds.AccessLog,
        doc("Whether zdd's own nginx logs requests; or the log that your server block writes in zdd's format."),
    ] = True
    listen_is_set: bool = False  # whether the file has the key: the default depends on what nginx did before

    @property
    def rendered(self) -> str | None:
        """Where the template is rendered: beside itself, without .template."""
        return str(self.template).removesuffix(".template") if self.template else None
