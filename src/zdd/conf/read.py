"""Finds the configuration and reads it."""

import os
import re
from pathlib import Path

from zdd.conf.document import Document
from zdd.conf.refusals import Refusal
from zdd.conf.schema import NAME, NAME_RULE, Config, ZddSection
from zdd.conf.sections import Sections
from zdd.errors import UsageError
from zdd.host import foreign

NAMES = ("deploy.toml", "deploy.conf")
_LARGEST = 1 << 20  # bytes of a configuration file
_NO_FILE = "go to the project's folder, or name the file with -c; for a new project, `zddeploy init` proposes one"


def here(explicit: Path | None = None) -> Path:
    """
    Return the current folder, or that of `explicit` where it does not matter.

    Raises UsageError if it was removed: shells stay in such a folder, as in a release or a CI workspace that has gone.
    """
    if explicit is not None and explicit.is_absolute():
        return explicit.parent
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the current folder was removed", hint="go to the project's folder, or name the file: -c /PATH/deploy.toml"
        ) from None


def find(explicit: Path | None, cwd: Path) -> Path:
    """
    Return the absolute path of the configuration: `explicit`, or else the one in `cwd`.

    Raises UsageError if `cwd` contains none, or two, or may not be searched.
    """
    cwd = Path(os.path.abspath(cwd))
    if explicit is not None:
        return Path(os.path.abspath(cwd / explicit))
    if not os.access(cwd, os.X_OK):
        raise UsageError(f"cannot look into {cwd}: Permission denied", hint="run zddeploy as the folder's owner")
    existing = [cwd / name for name in NAMES if os.path.lexists(cwd / name)]
    if len(existing) == 2:
        raise UsageError(f"{cwd} holds both {' and '.join(NAMES)}", hint=f"say which one with -c, as in -c {NAMES[0]}")
    if not existing:
        raise UsageError(f"no {' or '.join(NAMES)} in {cwd}", hint=_NO_FILE)
    return existing[0]


def load(path: Path) -> Config:
    """
    Read the configuration file at `path`, TOML if it ends in .toml and else INI.

    Raises UsageError if it cannot be read or is not valid, UsageErrors if it has several mistakes. Apart from the file
    only the nginx template is opened.
    """
    path = Path(os.path.abspath(path))
    _check_encoding(path)
    document = _document(path)
    sections = Sections(document)
    services = sections.services()
    ignored = sections.ignored()
    prefix = document.service_prefix
    if not services and not sections.refusals.errors:  # else one of those may be meant as a service
        what = f"there are no services; add a section such as [{prefix}web] with run"
        sections.refusals.add([Refusal(path, None, what)])
    zdd = sections.zdd()
    nginx = sections.nginx(services)
    release = sections.release()
    titles = {prefix + name for name in services}
    project = ""
    with sections.refusals.collected():
        project = _project(document, zdd, classic=document.classic.issuperset(titles))
    sections.refusals.raise_any()
    return Config(
        path=path,
        folder=path.parent,
        project=project,
        zdd=zdd,
        nginx=nginx,
        services=services,
        release=release,
        warnings=[f"{path}: ignored, because zdd does not know it: {'; '.join(ignored)}"] if ignored else [],
    )


def _check_encoding(path: Path) -> None:
    """Raise UsageError if the path is not UTF-8: records and JSON, which contain it, are."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        what = f"{path}: this path is not UTF-8, as the text for nginx and zdd's own files must be"
        raise UsageError(what, hint="rename the folder, or the file") from None


def valid_name(word: str) -> str:
    """Return the valid name of a project or service that is nearest to the word, empty if nothing of it may stay."""
    return re.sub("[^a-z0-9_-]+", "-", word.lower()).strip("-_")[:31].rstrip("-_")


def _document(path: Path) -> Document:
    try:
        data = foreign.data(str(path), _LARGEST)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8: line {line} has the byte 0x{data[error.start]:02x}"
        raise Refusal(path, None, what, hint="save the file as UTF-8") from None
    if path.suffix == ".toml":
        from zdd.conf import toml  # here, because INI files do not need it

        return toml.parse(text, path)
    from zdd.conf import ini  # here, because TOML files do not need it

    return ini.parse(text, path)


def _project(document: Document, zdd: ZddSection, *, classic: bool) -> str:
    """Return the project's name: as set, or the folder's name, which is adapted only for classic files."""
    name = document.path.parent.name if zdd.project is None else zdd.project
    if re.fullmatch(NAME, name):
        return name
    proposal = valid_name(name) or "project"
    if zdd.project is not None:
        setting = document.setting("project", name)
        raise document.error("zdd", f"{setting} is not allowed; use {NAME_RULE}, such as {proposal}", key="project")
    if classic:
        return proposal
    what = f'the folder\'s name "{name}" cannot name the project, which takes {NAME_RULE}'
    raise Refusal(document.path, None, f"{what}; add [zdd] {document.setting('project', proposal)}")
