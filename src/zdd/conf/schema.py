"""
The configuration: every key with its type, default and meaning. The reader, the reference and the JSON Schema of
editors (draft 7) derive from it.
"""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from zdd.conf import kinds
from zdd.conf.kinds import doc
from zdd.conf.nginx_section import NginxSection
from zdd.conf.readers import Json
from zdd.conf.services import ClassicService, RunService, Service, StaticService, static
from zdd.errors import UsageError

NAME = r"[a-z0-9][a-z0-9_-]{0,30}"  # of projects and services with run
NAME_RULE = "a to z, 0 to 9, - and _, at most 31, the first a letter or digit"

_NOT_REQUIRED = "cwd"  # of a classic service: read.py knows its default


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


class ReleaseSection(Struct, frozen=True, kw_only=True):
    """Where code comes from and how a release is built; without this section the code runs in place."""

    source: Annotated[kinds.Source, doc("A folder or the URL of a git repository.")]
    rev: Annotated[kinds.Text | None, doc("Branch, tag or commit of it.")] = None
    build: Annotated[kinds.Commands, doc("Commands that make a release of the code, run in it.")] = []
    shared: Annotated[kinds.Inside, doc("Paths that all releases share, such as uploads.")] = []
    assets: Annotated[
        kinds.Assets, doc("Folders, or URL path = folder: nginx serves them, and those of earlier releases too.")
    ] = []
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

    @property
    def static(self) -> dict[str, StaticService]:
        """The services with `static`."""
        return static(self.services)

    @property
    def routed(self) -> dict[str, RunService | StaticService]:
        """The services that nginx leads to by their host and path."""
        services = self.services.items()
        return {name: one for name, one in services if one.is_routed and not isinstance(one, ClassicService)}

    @property
    def is_reached(self) -> bool:
        """Whether visitors send requests to any service: workers alone need no nginx."""
        return not all(service.is_worker for service in self.services.values())

    def check_names(self, services: Iterable[str]) -> None:
        """Raise UsageError for a name of no service."""
        for name in services:
            if name not in self.services:
                raise UsageError(f"{self.path} has no service {name!r}", hint=f"it has: {', '.join(self.services)}")


SCHEMAS: dict[str, type[Struct]] = {"zdd": ZddSection, "nginx": NginxSection, "release": ReleaseSection}

fields_of = functools.cache(fields)
"""Return the fields of a section; cached, because msgspec resolves their types at each call."""


@functools.cache
def keys(section: type[Struct]) -> dict[str, kinds.Kind]:
    """Return the keys of a section with their kinds."""
    return {field_info.name: kind for field_info in fields_of(section) if (kind := kinds.kind_of(field_info.type))}


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
    run, static, classic = _section(RunService), _section(StaticService), _section(ClassicService)
    services = {
        "type": "object",
        "minProperties": 1,
        "patternProperties": {f"^{NAME}$": {"anyOf": [run, static, classic]}},
        "additionalProperties": classic,
    }
    sections: Json = {name: _section(section) for name, section in SCHEMAS.items()}
    draft = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "deploy.toml"}
    return draft | _object(sections | {"service": services}, ["service"])


def _section(section: type[Struct]) -> Json:
    known = [(key, kind) for key in fields_of(section) if (kind := keys(section).get(key.name))]
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
