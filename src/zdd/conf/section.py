"""One section of a document, read by its schema."""

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import fields

from zdd.conf.document import Broken, Document
from zdd.conf.kinds import Kind, KindError
from zdd.conf.schema import keys

S = TypeVar("S", bound=Struct)


def read(document: Document, title: str, schema: type[S], **defaults: object) -> S:
    """
    Return the section as a `schema`, with `defaults` for what the schema cannot know.

    Raises UsageError for an unknown key (classic sections may have them), a value that is not allowed and a missing
    required key.
    """
    kinds = known(document, title, schema)
    classic = title in document.classic
    values = dict(defaults)
    for key, raw in document.sections.get(title, {}).items():
        if key in kinds:
            # The old tool took an empty cwd for the folder, so in classic sections empty is the default.
            if not (classic and raw == ""):
                values[key] = _value(document, title, key, raw, kinds[key])
        elif not classic:
            from zdd.conf.unknown import unknown_key  # here, because it is slow to load

            raise unknown_key(document, title, key, schema)
    missing = [one.name for one in fields(schema) if one.required and one.name not in values]
    if missing:
        what = "run, or else start, stop and pid_file" if missing == ["run"] else " and ".join(missing)
        raise document.error(title, f"needs {what}")
    return schema(**values)


def known(document: Document, title: str, schema: type[Struct]) -> dict[str, Kind]:
    """Return the keys that count in a section."""
    kinds = keys(schema)
    if title == "nginx" and title in document.classic:
        # The old tool knew two. Newer ones must stand here: in [DEFAULT] they are somebody's variables.
        count = {"template", "pid_file"} | ({"binary", "user"} - document.quiet[title])
        return {key: kind for key, kind in kinds.items() if key in count}
    return kinds


def _value(document: Document, title: str, key: str, raw: object, kind: Kind) -> object:
    if isinstance(raw, Broken):
        raise document.error(title, f"{key}: {raw.reason}")
    try:
        return kind.reader.read(raw, document)
    except KindError as error:
        setting = document.setting(key, error.value)
        advice = document.advice(error.why, error.instead)
        raise document.error(title, f"{setting} is not allowed; it must be {kind.allowed}{advice}") from None
