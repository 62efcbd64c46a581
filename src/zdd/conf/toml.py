"""TOML text in, a Document out."""

import tomllib
from pathlib import Path

from zdd.conf.document import Document
from zdd.errors import UsageError


def parse(text: str, path: Path) -> Document:
    """Read the `text` of the file at `path`; raise UsageError when it is not TOML or not made of sections."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    sections = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name} is outside of any section; move it into [zdd] or the one it belongs to")
        if name != "service":
            sections[name] = table
            continue
        for service, values in table.items():
            if not isinstance(values, dict):
                raise UsageError(f"{path}: [service] {service} belongs in the section of a service: [service.NAME]")
            sections[f"service.{service}"] = values
    return Document(path, sections, typed=True)
