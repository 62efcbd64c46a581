"""Errors for unknown keys and sections, with advice; loaded only if there is one."""

from difflib import get_close_matches

from msgspec import Struct

from zdd.conf.document import Document
from zdd.conf.refusals import Refusal, shown_in_line
from zdd.conf.schema import SCHEMAS, keys
from zdd.conf.services import ClassicService, RunService, StaticService

_LONGEST = 100  # letters of an unknown name that are compared
# names of our keys in other tools
_ALIASES = {
    "run": "command cmd exec execstart exec_start start_command entrypoint program",
    "health_path": "healthcheck health_check health healthcheck_path health_url probe",
    "instances": "workers replicas processes numprocs scale count",
    "env": "environment environ vars variables",
    "env_file": "envfile dotenv environment_file",
    "cwd": "workdir working_dir working_directory directory dir chdir",
    "host": "hosts hostname domain domains",
    "path": "prefix route location path_prefix",
    "stop_signal": "signal kill_signal stopsignal",
    "stop_timeout": "kill_timeout grace_period stopwaitsecs",
    "pid_file": "pidfile pid",
    "listen": "port ports bind address",
    "server_name": "server_names host hosts domain domains",
    "project": "name app",
    "source": "repo repository git url src",
    "rev": "branch tag ref commit revision",
    "build": "install build_command",
    "static": "public dist root public_dir output_directory",
    "shared": "linked linked_dirs shared_dirs persistent",
    "keep_releases": "keep keep_last",
}


def unknown_key(document: Document, section: str, key: str, schema: type[Struct]) -> Refusal:
    """Return the error for a key that `schema` lacks, with the nearest key it has."""
    meant = meant_key(document, key, schema)
    advice = f"did you mean {meant}?" if meant else _explanation(document, key, schema)
    hint = f"[{section}] may have " + ", ".join(keys(schema))
    what = f"{shown_in_line(key, 77)} is not a known key" + (f"; {advice}" if advice else "")
    return document.error(section, what, key=key, hint=hint)


def meant_key(document: Document, key: str, schema: type[Struct]) -> str | None:
    """Return the key of `schema` that was probably meant; None if the key belongs elsewhere, or looks like none."""
    word, known = key.lower().replace("-", "_"), keys(schema)
    if _is_port(key, schema):
        return None
    for ours, theirs in _ALIASES.items():
        if ours in known and word in theirs.split():
            return ours
    if _explanation(document, key, schema):
        return None
    return next(iter(get_close_matches(word[:_LONGEST], known, 1)), None)


def unknown_section(document: Document, section: str) -> Refusal:
    """Return the error for an unknown section."""
    example = f"[{document.service_prefix}NAME]"
    values = document.sections[section]
    close = get_close_matches(section.strip().lower()[:_LONGEST], SCHEMAS, 1)
    if {"run", "start", "static"} & values.keys() or section.lower().startswith("service"):
        advice = f"the section of a service is written {example}"
    elif close:
        advice = f"did you mean [{close[0]}]?"
    else:
        advice = f"there are [zdd], [nginx], {example} and [release]"
    return document.error(section, f"is not a known section; {advice}")


def _is_port(key: str, schema: type[Struct]) -> bool:
    return schema is RunService and key == "port"


def _explanation(document: Document, key: str, schema: type[Struct]) -> str:
    """Return where `key` belongs or what does its work, if that is certain and no key of `schema` does it."""
    if _is_port(key, schema):
        way = document.setting("socket", "tcp")
        return f"a service that can only listen on a TCP port has {way} and reads PORT"
    if schema is RunService and key in ("stop", "pid_file"):
        return f"{key} goes with start, in a service without run"
    if schema is StaticService and key in keys(RunService) | keys(ClassicService):
        return f"{key} is for a program, and a service with static has none"
    if schema in (RunService, ClassicService) and key in ("static", "spa"):
        return f"{key} goes with static, in a service without run and start"
    if schema is ClassicService and key in keys(RunService):
        return f"{key} goes with run, in a service without start"
    for name, other in SCHEMAS.items():
        if key in keys(other):
            return f"it belongs in [{name}]"
    if schema is not ClassicService and key in keys(RunService):
        return f"it belongs in [{document.service_prefix}NAME]"
    return ""
