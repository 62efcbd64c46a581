"""The schema of deploy.toml in the language of editors (JSON Schema, draft 7)."""

from typing import Any

from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields

from zdd.conf.kinds import Kind
from zdd.conf.schema import NAME, SCHEMAS, ClassicService, RunService, default, keys

_NOT_REQUIRED = "cwd"  # of a classic service: read.py knows its default


def json_schema() -> dict[str, Any]:
    """
    Return it. It refuses what can be refused section by section: unknown keys, and values that mean nothing.

    Which keys exclude each other, and what is there on the machine, it does not know.
    """
    run, classic = _section(RunService), _section(ClassicService)
    services = {
        "type": "object",
        "minProperties": 1,
        "patternProperties": {f"^{NAME}$": {"anyOf": [run, classic]}},
        "additionalProperties": classic,
    }
    sections: dict[str, Any] = {name: _section(section) for name, section in SCHEMAS.items()}
    draft = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "deploy.toml"}
    return draft | _object(sections | {"service": services}, ["service"])


def _section(section: type[Struct]) -> dict[str, Any]:
    kinds = keys(section)
    known = [one for one in fields(section) if one.name in kinds]
    required = [one.name for one in known if one.required and one.name != _NOT_REQUIRED]
    found = _object({one.name: _key(one, kinds[one.name]) for one in known}, required)
    return found | {"description": (section.__doc__ or "").strip()}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _key(one: FieldInfo, kind: Kind) -> dict[str, Any]:
    description = next(
        meta.description for meta in one.type.__metadata__ if isinstance(meta, Meta) and meta.description
    )
    value = default(one)
    return kind.reader.json | {"description": description} | ({} if value is None else {"default": kind.write(value)})
