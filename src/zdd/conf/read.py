"""Find the configuration and read it."""

import os
import re
from pathlib import Path

from msgspec.structs import replace

from zdd.conf import check, section
from zdd.conf.document import Document
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
)
from zdd.errors import UsageError

NAMES = ("deploy.toml", "deploy.conf")


def find(explicit: Path | None, cwd: Path) -> Path:
    """
    Return the absolute path of the configuration: `explicit`, or else the one there is in `cwd`.

    Raises UsageError when `cwd` holds none, or two.
    """
    cwd = Path(os.path.abspath(cwd))
    if explicit is not None:
        return Path(os.path.abspath(cwd / explicit))
    found = [cwd / name for name in NAMES if os.path.lexists(cwd / name)]
    if len(found) == 2:
        raise UsageError(f"{cwd} holds both {' and '.join(NAMES)}", hint=f"say which one with -c, as in -c {NAMES[0]}")
    if not found:
        raise UsageError(
            f"no {' or '.join(NAMES)} in {cwd}", hint="go to the project's folder, or name the file with -c"
        )
    return found[0]


def load(path: Path) -> Config:
    """
    Read the configuration file at `path`, TOML if it ends in .toml and else INI.

    Raises UsageError when it cannot be read or asks for what cannot be. Besides the file only the nginx template is
    looked at.
    """
    path = Path(os.path.abspath(path))
    document = _document(path)
    prefix = document.service_prefix
    titles = [title for title in document.sections if title.startswith(prefix)]
    services = {title.removeprefix(prefix): _service(document, title) for title in titles}
    ignored = _ignored(document)
    if not services:
        raise UsageError(f"{path}: there are no services; add a section such as [{prefix}web] with run")
    zdd = section.read(document, "zdd", ZddSection)
    nginx = section.read(document, "nginx", NginxSection)
    release = section.read(document, "release", ReleaseSection) if "release" in document.sections else None
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
        from zdd.conf.toml import parse  # the one that is needed, because each takes its time to load
    else:
        from zdd.conf.ini import parse
    return parse(text, path)


def _service(document: Document, title: str) -> ClassicService | RunService:
    name = title.removeprefix(document.service_prefix)
    given = document.sections[title]
    if title not in document.classic and "run" in given and "start" in given:
        raise document.error(title, "run and start exclude each other: run keeps in the foreground, start does not")
    if title in document.classic or "start" in given:
        check.classic_name(document, title, name)
        return section.read(document, title, ClassicService, name=name, cwd=document.path.parent)
    check.run_name(document, title, name)
    service = section.read(document, title, RunService, name=name)
    check.run_service(document, title, service)
    return replace(service, keep_warm=0.0) if service.socket == "none" and "keep_warm" not in given else service


def _ignored(document: Document) -> list[str]:
    """Return what classic sections hold that nobody knows; raise UsageError for any other unknown section."""
    ignored = []
    for title, given in document.sections.items():
        schema = ClassicService if title.startswith(document.service_prefix) else SCHEMAS.get(title)
        if title not in document.classic:
            if not schema:
                from zdd.conf.unknown import unknown_section  # here, because it is slow to load

                raise unknown_section(document, title)
        elif not schema:
            ignored.append(f"[{title}]")
        elif unknown := given.keys() - section.known(document, title, schema) - document.quiet[title]:
            ignored.append(f"[{title}] " + ", ".join(key for key in given if key in unknown))
    return ignored


def _project(document: Document, zdd: ZddSection, *, classic: bool) -> str:
    """Return the project's name: as set, or the folder's, which is bent to fit only for old files."""
    name = document.path.parent.name if zdd.project is None else zdd.project
    if re.fullmatch(NAME, name):
        return name
    proposal = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:31].rstrip("-_") or "project"
    if zdd.project is not None:
        setting = document.setting("project", name)
        raise document.error("zdd", f"{setting} is not allowed; use {NAME_RULE}, such as {proposal}")
    if classic:
        return proposal
    what = f'the folder\'s name "{name}" cannot name the project, which takes {NAME_RULE}'
    raise UsageError(f"{document.path}: {what}; add [zdd] {document.setting('project', proposal)}")
