"""The keys of a service: one that starts in the background and one that zdd runs."""

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Struct

from zdd.conf import kinds
from zdd.conf.kinds import doc
from zdd.conf.units import Statuses

GRPC_HEALTH = "/grpc.health.v1.Health/Check"
"""The call by which gRPC asks for health; a server without that method says so, which shows as well who answers."""

_OK = Statuses.parse("200-299")


class _WithoutRun(Struct, frozen=True, kw_only=True):
    """What only a service with `run` can set, the others have like this."""

    order: ClassVar[kinds.StartOrder] = "start-first"
    before_start: ClassVar[None] = None
    bake: ClassVar[float] = 0.0
    keep_warm: ClassVar[float] = 0.0
    hold_max: ClassVar[float] = math.inf
    protocol: ClassVar[kinds.ProtocolName] = "http"


class ClassicService(_WithoutRun, frozen=True, kw_only=True):
    """A service that starts in the background and writes a pid file and a port file."""

    kind: ClassVar[Literal["classic"]] = "classic"
    is_worker: ClassVar[bool] = False
    is_routed: ClassVar[bool] = False
    instances: ClassVar[int] = 1
    host: ClassVar[kinds.Hosts] = []
    path: ClassVar[str] = "/"

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
    protocol: Annotated[kinds.Protocol, doc("What the app speaks: http, or grpc (HTTP/2 in plain text).")] = "http"
    sticky: Annotated[kinds.Sticky | None, doc("ip or cookie:NAME: a client meets the same instance again.")] = None
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


class StaticService(_WithoutRun, frozen=True, kw_only=True):
    """A folder of the release that nginx serves by itself."""

    kind: ClassVar[Literal["static"]] = "static"
    is_worker: ClassVar[bool] = False
    is_routed: ClassVar[bool] = True
    # It has no instance and no health request. Instances that it had as another kind of service have these times.
    instances: ClassVar[int] = 0
    health_path: ClassVar[None] = None
    health_host: ClassVar[None] = None
    health_timeout: ClassVar[float] = 5.0
    start_timeout: ClassVar[float] = 60.0
    drain_timeout: ClassVar[float] = 30.0
    stop_timeout: ClassVar[float] = 10.0

    name: str
    static: Annotated[kinds.Folder, doc("A folder of the release, served by nginx; switched like every service.")]
    spa: Annotated[kinds.YesNo, doc("Unknown paths are answered with index.html, whose scripts show the page.")] = False
    host: Annotated[kinds.Hosts, doc("Host names routed to it; all if not set.")] = []
    path: Annotated[kinds.Route, doc("Path prefix below which the folder is; the longest match wins.")] = "/"


Service = ClassicService | RunService | StaticService


def static(services: Mapping[str, Service]) -> dict[str, StaticService]:
    """Return the static ones among these services."""
    return {name: service for name, service in services.items() if isinstance(service, StaticService)}


def classic(services: Mapping[str, Service]) -> dict[str, ClassicService]:
    """Return the classic ones among these services."""
    return {name: service for name, service in services.items() if isinstance(service, ClassicService)}
