"""
The configuration: every key with its type, default and meaning. The reader, the reference and the JSON Schema of
editors (draft 7) derive from it.
"""

import functools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import NODEFAULT, Meta, Struct, field
from msgspec.structs import FieldInfo, fields

from zdd.conf import kinds
from zdd.conf.readers import Json
from zdd.conf.units import Statuses
from zdd.errors import UsageError

NAME = r"[a-z0-9][a-z0-9_-]{0,30}"  # of projects and services with run
NAME_RULE = "a to z, 0 to 9, - and _, at most 31, the first a letter or digit"

_NOT_REQUIRED = "cwd"  # of a classic service: read.py knows its default
_OK = Statuses.parse("200-299")


def doc(text: str) -> Meta:
    """Return the annotation with a key's meaning."""
    return Meta(description=text)


class ZddSection(Struct, frozen=True, kw_only=True):
    """The project as a whole."""

    project: Annotated[kinds.Text | None, doc("Name of the project; the folder's name if not set.")] = None
    state_dir: Annotated[kinds.AbsPath | None, doc("Where releases, logs and history are kept.")] = None
    runtime_dir: Annotated[kinds.AbsPath | None, doc("Where sockets and locks are kept.")] = None
    lock_timeout: Annotated[kinds.Duration, doc("How long to wait for another deploy to end.")] = 0.0
    before_start: Annotated[kinds.Shell | None, doc("Run in the new release before its services start.")] = None
    after_switch: Annotated[kinds.Shell | None, doc("Run after the switch; when it fails, zdd switches back.")] = None
    after_deploy: Annotated[kinds.Shell | None, doc("Run after the deploy; its failure changes nothing.")] = None
    on_failure: Annotated[kinds.Shell | None, doc("Run after a failed deploy was undone.")] = None
    log_max: Annotated[kinds.Size, doc("Size at which a log is rotated, one older part kept; 0 for never.")] = (
        64 * 1024**2
    )
    hook_timeout: Annotated[kinds.Timeout, doc("How long each of these commands may take.")] = 600.0


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
    listen_is_set: bool = False  # whether the file has the key: the default depends on what nginx did before

    @property
    def rendered(self) -> str | None:
        """Where the template is rendered: beside itself, without .template."""
        return str(self.template).removesuffix(".template") if self.template else None


class ClassicService(Struct, frozen=True, kw_only=True):
    """A service that starts in the background and writes a pid file and a port file."""

    kind: ClassVar[Literal["classic"]] = "classic"
    is_worker: ClassVar[bool] = False
    is_routed: ClassVar[bool] = False
    # What only a service with `run` can set, a classic one has like this.
    instances: ClassVar[int] = 1
    order: ClassVar[kinds.StartOrder] = "start-first"
    host: ClassVar[kinds.Hosts] = []
    path: ClassVar[str] = "/"
    before_start: ClassVar[None] = None
    bake: ClassVar[float] = 0.0
    keep_warm: ClassVar[float] = 0.0
    hold_max: ClassVar[float] = math.inf

    name: str
    start: Annotated[kinds.Command, doc("Starts the service in the background; split at spaces, no shell.")]
    stop: Annotated[kinds.Command, doc("Stops the old instance; its process number is added as the last word.")]
    pid_file: Annotated[kinds.AbsPath, doc("Written by the service, with PID.port beside it.")]
    cwd: Annotated[kinds.AbsPath, doc("Where start and stop run; the configuration's folder if not set.")]
    health_path: Annotated[kinds.RequestPath | None, doc("Path of the health request; answers when healthy.")] = None
    health_status: Annotated[kinds.StatusSet, doc("Statuses that mean healthy.")] = _OK
    health_host: Annotated[kinds.HostName | None, doc("Host header of the health request.")] = None
    start_timeout: Annotated[kinds.Timeout, doc("How long the service may take to become healthy.")] = 60.0
    health_timeout: Annotated[kinds.Timeout, doc("How long one health request may take.")] = 5.0
    drain_timeout: Annotated[kinds.Duration, doc("How long the old instance may keep open connections.")] = 30.0
    stop_timeout: Annotated[kinds.Duration, doc("How long the old instance may take to stop.")] = 10.0


class RunService(Struct, frozen=True, kw_only=True):
    """A service that zdd runs in the foreground."""

    name: str
    run: Annotated[kinds.Command, doc("Runs the app in the foreground; split into words, but no shell runs it.")]
    socket: Annotated[kinds.Way, doc("fd: inherits it; unix: binds {socket}; tcp: listens on PORT; none.")] = "fd"
    runtime: Annotated[kinds.Runtime, doc("node: its first port becomes the socket; auto: by program; none.")] = "auto"
    cwd: Annotated[kinds.AbsPath | None, doc("Its working folder; the release, or else the configuration's.")] = None
    env: Annotated[kinds.Env, doc("Environment variables.")] = {}
    env_file: Annotated[kinds.AbsPath | None, doc("File with more variables, as NAME=VALUE lines.")] = None
    user: Annotated[kinds.UserName | None, doc("User to run as; needs root.")] = None
    group: Annotated[kinds.UserName | None, doc("Group to run as; needs root.")] = None
    memory_max: Annotated[kinds.Size | None, doc("Memory that an instance may use; needs systemd.")] = None
    cpu_weight: Annotated[kinds.Weight | None, doc("CPU time under load; others have 100; needs systemd.")] = None
    instances: Annotated[kinds.Instances, doc("How many copies run.")] = 1
    host: Annotated[kinds.Hosts, doc("Host names routed to it; all if not set.")] = []
    path: Annotated[kinds.Route, doc("Path prefix routed to it; the longest match wins.")] = "/"
    health_path: Annotated[kinds.RequestPath | None, doc("Path of the health request; answers when healthy.")] = None
    health_status: Annotated[kinds.StatusSet, doc("Statuses that mean healthy.")] = _OK
    health_host: Annotated[kinds.HostName | None, doc("Its Host header; else the first of host, or localhost.")] = None
    health_command: Annotated[
        kinds.Shell | None,
        doc("Replaces the health request: exits 0 if healthy. `ZDD_SOCKET` or `PORT` is where the app listens."),
    ] = None
    start_timeout: Annotated[kinds.Timeout, doc("How long an instance may take to become healthy.")] = 60.0
    health_timeout: Annotated[kinds.Timeout, doc("How long one health request or command may take.")] = 5.0
    min_uptime: Annotated[kinds.Duration, doc("For socket none: how long it must run to count as healthy.")] = 2.0
    drain_timeout: Annotated[kinds.Duration, doc("How long an old instance may keep open connections.")] = 30.0
    stop_signal: Annotated[kinds.Signal, doc("Signal that asks the app to stop.")] = "TERM"
    stop_timeout: Annotated[kinds.Duration, doc("How long the app may take to stop before it is killed.")] = 10.0
    bake: Annotated[kinds.Duration, doc("Time after the switch in which a fault makes zdd switch back.")] = 0.0
    keep_warm: Annotated[kinds.Duration, doc("How long the old one runs on, for rollback; 0s for workers.")] = 120.0
    order: Annotated[kinds.Order, doc("start-first, or stop-first: two versions never run at once.")] = "start-first"
    hold_max: Annotated[kinds.Timeout, doc("How long requests may wait: for stop-first, or after a crash.")] = 30.0
    before_start: Annotated[kinds.Shell | None, doc("Run in the release before it starts, as its app would.")] = None

    @property
    def kind(self) -> kinds.SocketWay:
        """How the service is reached: a classic one says "classic"."""
        return self.socket

    @property
    def is_worker(self) -> bool:
        """Whether nobody connects to the service."""
        return self.socket == "none"

    @property
    def is_routed(self) -> bool:
        """Whether nginx leads to it by its host and path; a classic one's routes stand in a template."""
        return self.socket != "none"


Service = ClassicService | RunService


class ReleaseSection(Struct, frozen=True, kw_only=True):
    """Where code comes from and how a release is built; without this section the code runs in place."""

    source: Annotated[kinds.Source, doc("A folder or the URL of a git repository.")]
    rev: Annotated[kinds.Text | None, doc("Branch, tag or commit of it.")] = None
    build: Annotated[kinds.Commands, doc("Commands that make a release of the code, run in it.")] = []
    shared: Annotated[kinds.Inside, doc("Paths that all releases share, such as uploads.")] = []
    assets: Annotated[kinds.Inside, doc("Folders whose old files stay reachable after a deploy.")] = []
    keep_releases: Annotated[kinds.Releases, doc("How many releases to keep.")] = 5


class Config(Struct, frozen=True, kw_only=True):
    """A whole configuration file: `path` and `folder` are absolute, `services` in file order."""

    path: Path
    folder: Path
    project: str
    zdd: ZddSection
    nginx: NginxSection
    services: dict[str, Service]
    release: ReleaseSection | None
    warnings: list[str]

    @property
    def apps(self) -> dict[str, RunService]:
        """The services with `run`."""
        return {name: service for name, service in self.services.items() if isinstance(service, RunService)}

    def check_names(self, services: Iterable[str]) -> None:
        """Raise UsageError for a name of no service."""
        for name in services:
            if name not in self.services:
                raise UsageError(f"{self.path} has no service {name!r}", hint=f"it has: {', '.join(self.services)}")


def classic(services: Mapping[str, Service]) -> dict[str, ClassicService]:
    """Return the classic ones among these services."""
    return {name: service for name, service in services.items() if isinstance(service, ClassicService)}


SCHEMAS: dict[str, type[Struct]] = {"zdd": ZddSection, "nginx": NginxSection, "release": ReleaseSection}


@functools.cache
def keys(section: type[Struct]) -> dict[str, kinds.Kind]:
    """Return the keys of a section with their kinds."""
    return {field_info.name: kind for field_info in fields(section) if (kind := kinds.kind_of(field_info.type))}


def default(key: FieldInfo) -> object:
    """Return a key's default, None if it has none."""
    if key.default_factory is not NODEFAULT:
        return key.default_factory()
    return None if key.default is NODEFAULT else key.default


def json_schema() -> Json:
    """
    Return the JSON Schema of deploy.toml. It rejects unknown keys and invalid values in each section.

    It does not know which keys exclude each other, or what exists on the machine.
    """
    run, classic = _section(RunService), _section(ClassicService)
    services = {
        "type": "object",
        "minProperties": 1,
        "patternProperties": {f"^{NAME}$": {"anyOf": [run, classic]}},
        "additionalProperties": classic,
    }
    sections: Json = {name: _section(section) for name, section in SCHEMAS.items()}
    draft = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "deploy.toml"}
    return draft | _object(sections | {"service": services}, ["service"])


def _section(section: type[Struct]) -> Json:
    known = [(key, kind) for key in fields(section) if (kind := keys(section).get(key.name))]
    required = [key.name for key, _ in known if key.required and key.name != _NOT_REQUIRED]
    properties = {key.name: _key(key, kind) for key, kind in known}
    return _object(properties, required) | {"description": (section.__doc__ or "").strip()}


def _object(properties: Json, required: list[str]) -> Json:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _key(key: FieldInfo, kind: kinds.Kind) -> Json:
    description = next(
        meta.description for meta in key.type.__metadata__ if isinstance(meta, Meta) and meta.description
    )
    value = default(key)
    return kind.reader.json | {"description": description} | ({} if value is None else {"default": kind.write(value)})
