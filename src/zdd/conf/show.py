"""The configuration as zdd read it, in the form of a file; secrets are hidden."""

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from zdd import secret
from zdd.conf import env_file
from zdd.conf.schema import Config, default, keys
from zdd.conf.services import RunService
from zdd.visible import in_toml


class Setting(Struct):
    """A key's value as TOML and JSON can write it, None if it has none; `default`: the file need not contain it."""

    value: Any
    default: bool


Sections = dict[str, dict[str, Setting]]


def sections(config: Config, answers: Mapping[str, str]) -> Sections:
    """
    Return every section with all its keys, titled as in TOML; `answers` are values of [zdd] that zdd chose itself.

    A service's variables, including those of its env_file, are a section of their own. Raises UsageError if that file
    cannot be read.
    """
    shown = {"zdd": _settings(config.zdd), "nginx": _settings(config.nginx)}
    for key, value in answers.items():
        if shown["zdd"][key].value is None:
            shown["zdd"][key] = Setting(value, default=True)
    if config.release:
        shown["release"] = _settings(config.release)
        if isinstance(config.release.assets, dict):
            del shown["release"]["assets"]
            pairs = config.release.assets.items()
            shown["release.assets"] = {path: Setting(folder, default=False) for path, folder in pairs}
    for service in config.services.values():
        title = f"service.{_key(service.name)}"
        shown[title] = _settings(service)
        if isinstance(service, RunService):
            del shown[title]["env"]
            shown[f"{title}.env"] = _variables(service)
    return {title: settings for title, settings in shown.items() if settings}


def toml(shown: Sections) -> list[str]:
    """Return the lines of an equivalent deploy.toml; defaults are comments."""
    lines = []
    for title, settings in shown.items():
        lines += ["", f"[{title}]", *(_line(key, setting) for key, setting in settings.items())]
    return lines[1:]


def _settings(section: Struct) -> dict[str, Setting]:
    kinds = keys(type(section))
    settings = {}
    for key in fields(section):
        if key.name in kinds:
            value = getattr(section, key.name)
            written = None if value is None else secret.hide_in(kinds[key.name].write(value))
            settings[key.name] = Setting(written, default=value == default(key))
    return settings


def _variables(service: RunService) -> dict[str, Setting]:
    pairs = (env_file.read(service.env_file) if service.env_file else {}) | service.env
    return {name: Setting(secret.value(name, text), name not in service.env) for name, text in pairs.items()}


def _line(key: str, setting: Setting) -> str:
    if setting.value is None:
        return f"# {_key(key)} is not set"
    text = in_toml(json.dumps(setting.value, ensure_ascii=False))  # TOML reads what JSON writes, but for DEL
    return f"{'# ' if setting.default else ''}{_key(key)} = {text}"


def _key(word: str) -> str:
    return word if re.fullmatch("[A-Za-z0-9_-]+", word) else in_toml(json.dumps(word, ensure_ascii=False))
