"""The schema for editors: it refuses what zdd refuses, and nothing that zdd takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import Struct

from zdd.conf.document import Document
from zdd.conf.readers import KindError
from zdd.conf.schema import SCHEMAS, json_schema, keys
from zdd.conf.services import ClassicService, RunService, StaticService

from . import test_read, test_refusals

ROOT = Path(__file__).parents[2]
SECTIONS = [*SCHEMAS.values(), ClassicService, RunService, StaticService]
VALUES: list[Any] = [
    *("", " ", "x", "30s", "5 m", "64M", "200-299", "600", "/x", "TERM", "fd", "main", "127.0.0.1:80", "a b", "a;b"),
    *(
        "_",
        "*",
        "https://x.test",
        "*.x.test",
        "x.*",
        "a*.test",
        "b\u00fccher.test",
        "x.test.",
        "~^a$",
        "[::1]",
        "1.2.3.256",
    ),
    *("/a?b", "/a*", "/a#b", "/a%20b", "/a//b", "//", "/(a)", "2xx", "100-199", "100-300", "x" * 64, "9.9.9.9", "x:80"),
    *(0, -1, 1, 7, 70_000, 200, 1.5, True),
    *([], ["x"], ["/x"], [1], [True], [["x"]], {}, {"/a": "b"}, {"/a": 1}, {"A": "b"}, {"A": 1}, {"A": True}),
]
# What a pattern cannot tell: that no time is too short, which signals there are, what leads out of a folder.
TOO_FINE: dict[str, list[Any]] = {
    "a duration longer than 0 such as 500ms, 30s, 5m, 1h": [0],
    "a signal's name such as TERM, QUIT or SIGINT": [one for one in VALUES if isinstance(one, str) and one.strip()],
    "paths inside the release such as public/uploads": (below := [one for one in VALUES if "/" in str(one)]),
    "paths inside the release such as public/assets, or URL path = folder": below,
    "a folder inside the release such as dist": below,
}


def refused(data: object, schema: dict[str, Any]) -> bool:
    jsonschema.Draft7Validator.check_schema(schema)
    return not jsonschema.Draft7Validator(schema).is_valid(data)


def examples() -> list[Path]:
    return [*ROOT.glob("samples/**/deploy.toml"), *ROOT.glob("docs/**/deploy.toml")]


def readme() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("text", [test_read.FULL, *readme(), *(path.read_text() for path in examples())])
def test_what_zdd_reads_is_allowed(text: str) -> None:
    jsonschema.validate(tomllib.loads(text), json_schema())


@pytest.mark.parametrize("setting", [case[0] for case in test_refusals.UNKNOWN_KEYS])
def test_an_unknown_key_is_refused(setting: str) -> None:
    assert refused(tomllib.loads(f'[service.web]\nrun = "app"\n{setting}\n'), json_schema())


@pytest.mark.parametrize("section", [case[0] for case in test_refusals.UNKNOWN_SECTIONS])
def test_an_unknown_section_is_refused(section: str) -> None:
    assert refused(tomllib.loads(f'{section}\n[service.web]\nrun = "app"\n'), json_schema())


@pytest.mark.parametrize("text", ["", "[service.web]\n", "[service.Web]\nrun = 'x'", "[service.a]\nstart = 'x'"])
def test_services_need_a_name_and_what_they_run(text: str) -> None:
    assert refused(tomllib.loads(text), json_schema())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_a_value_is_refused_by_the_schema_and_by_zdd_or_by_neither(section: type[Struct], tmp_path: Path) -> None:
    document = Document(tmp_path / "deploy.toml", {}, typed=True)
    differing = []
    for key, kind in keys(section).items():
        for value in VALUES:
            try:
                kind.reader.read(value, document)
                by_zdd = False
            except KindError:
                by_zdd = True
            # To write "" for an empty list is a mistake that only an editor sees.
            is_empty_list = "anyOf" in kind.reader.json and value in ("", " ")
            if refused(value, kind.reader.json) != by_zdd and not is_empty_list:
                differing += [(key, value)] if value not in TOO_FINE.get(kind.allowed, []) else []

    assert differing == []
