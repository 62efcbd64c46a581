"""Finds the configuration and reads it."""

import os
import re
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import fields, replace

from zdd.conf import check
from zdd.conf.document import Broken, Document, from_toml
from zdd.conf.kinds import Kind
from zdd.conf.readers import KindError
from zdd.conf.schema import (
    NAME,
    NAME_RULE,
    SCHEMAS,
    ClassicService,
    Config,
    NginxSection,
    ReleaseSection,
    RunService,
    ZddSection,
    keys,
)
from zdd.errors import UsageError

S = TypeVar("S", bound=Struct)

NAMES = ("deploy.toml", "deploy.conf")


def find(explicit: Path | None, cwd: Path) -> Path:
    """
    Return the absolute path of the configuration: `explicit`, or else the one in `cwd`.

    Raises UsageError if `cwd` contains none, or two.
    """
    cwd = Path(os.path.abspath(cwd))
    if explicit is not None:
        return Path(os.path.abspath(cwd / explicit))
    existing = [cwd / name for name in NAMES if os.path.lexists(cwd / name)]
    if len(existing) == 2:
        raise UsageError(f"{cwd} holds both {' and '.join(NAMES)}", hint=f"say which one with -c, as in -c {NAMES[0]}")
    if not existing:
        raise UsageError(
            f"no {' or '.join(NAMES)} in {cwd}", hint="go to the project's folder, or name the file with -c"
        )
    return existing[0]


def load(path: Path) -> Config:
    """
    Read the configuration file at `path`, TOML if it ends in .toml and else INI.

    Raises UsageError if it cannot be read or is not valid. Apart from the file only the nginx template is opened.
    """
    path = Path(os.path.abspath(path))
    if re.search("[\ud800-\udfff]", str(path)):
        raise UsageError(
            f"{path}: this path is not UTF-8, as the text for nginx and zdd's own files must be",
            hint="rename the folder, or the file",
        )
    document = _document(path)
    prefix = document.service_prefix
    titles = [title for title in document.sections if title.startswith(prefix)]
    services = {title.removeprefix(prefix): _service(document, title) for title in titles}
    ignored = _ignored(document)
    if not services:
        raise UsageError(f"{path}: there are no services; add a section such as [{prefix}web] with run")
    zdd = _section(document, "zdd", ZddSection)
    nginx = _section(document, "nginx", NginxSection)
    release = _section(document, "release", ReleaseSection) if "release" in document.sections else None
    check.nginx(document, nginx, services)
    return Config(
        path=path,
        folder=path.parent,
        project=_project(document, zdd, classic=document.classic.issuperset(titles)),
        zdd=zdd,
        nginx=nginx,
        services=services,
        release=release,
        warnings=[f"{path}: ignored, because zdd does not know it: {'; '.join(ignored)}"] if ignored else [],
    )


def valid_name(word: str) -> str:
    """Return the valid name of a project or service that is nearest to the word, empty if nothing of it may stay."""
    return re.sub("[^a-z0-9_-]+", "-", word.lower()).strip("-_")[:31].rstrip("-_")


def _document(path: Path) -> Document:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: not UTF-8: line {line} has the byte 0x{data[error.start]:02x}") from None
    if path.suffix == ".toml":
        return from_toml(text, path)
    from zdd.conf import ini  # here, because TOML files do not need it

    return ini.parse(text, path)


def _service(document: Document, title: str) -> ClassicService | RunService:
    name = title.removeprefix(document.service_prefix)
    given = document.sections[title]
    if title not in document.classic and "run" in given and "start" in given:
        raise document.error(title, "run and start exclude each other: run stays in the foreground, start does not")
    if title in document.classic or "start" in given:
        check.classic_name(document, title, name)
        return _section(document, title, ClassicService, name=name, cwd=document.path.parent)
    check.run_name(document, title, name)
    service = _section(document, title, RunService, name=name)
    check.run_service(document, title, service)
    return replace(service, keep_warm=0.0) if service.socket == "none" and "keep_warm" not in given else service


def _section(document: Document, title: str, schema: type[S], **defaults: object) -> S:
    """
    Return the section as a `schema`, with `defaults` for keys whose default the schema does not know.

    Raises UsageError for an unknown key (except in classic sections), an invalid value and a missing required key.
    """
    kinds = _known(document, title, schema)
    classic = title in document.classic
    values = dict(defaults)
    for key, raw in document.sections.get(title, {}).items():
        if key in kinds:
            # The old tool read an empty cwd as the folder, so in classic sections an empty value means the default.
            if not (classic and raw == ""):
                values[key] = _value(document, title, key, raw, kinds[key])
        elif not classic:
            from zdd.conf.unknown import unknown_key  # here, because it is slow to load

            raise unknown_key(document, title, key, schema)
    missing = [field.name for field in fields(schema) if field.required and field.name not in values]
    if missing:
        what = "run, or else start, stop and pid_file" if missing == ["run"] else " and ".join(missing)
        raise document.error(title, f"needs {what}")
    return schema(**values)


def _known(document: Document, title: str, schema: type[Struct]) -> dict[str, Kind]:
    """Return the keys that are valid in a section."""
    kinds = keys(schema)
    if title == "nginx" and title in document.classic:
        # The old tool had two keys. Newer keys count only in this section: in [DEFAULT] they are variables.
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


def _ignored(document: Document) -> list[str]:
    """Return the unknown keys of classic sections. Raises UsageError for any other unknown section."""
    ignored = []
    for title, given in document.sections.items():
        schema = ClassicService if title.startswith(document.service_prefix) else SCHEMAS.get(title)
        if title not in document.classic:
            if not schema:
                from zdd.conf.unknown import unknown_section  # here, because it is slow to load

                raise unknown_section(document, title)
        elif not schema:
            ignored.append(f"[{title}]")
        elif unknown := given.keys() - _known(document, title, schema) - document.quiet[title]:
            ignored.append(f"[{title}] " + ", ".join(key for key in given if key in unknown))
    return ignored


def _project(document: Document, zdd: ZddSection, *, classic: bool) -> str:
    """Return the project's name: as set, or the folder's name, which is adapted only for classic files."""
    name = document.path.parent.name if zdd.project is None else zdd.project
    if re.fullmatch(NAME, name):
        return name
    proposal = valid_name(name) or "project"
    if zdd.project is not None:
        setting = document.setting("project", name)
        raise document.error("zdd", f"{setting} is not allowed; use {NAME_RULE}, such as {proposal}")
    if classic:
        return proposal
    what = f'the folder\'s name "{name}" cannot name the project, which takes {NAME_RULE}'
    raise UsageError(f"{document.path}: {what}; add [zdd] {document.setting('project', proposal)}")
