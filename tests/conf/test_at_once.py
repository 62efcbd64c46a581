"""All mistakes of a file are told at once, each with its line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zdd.conf import env_file
from zdd.conf.read import load
from zdd.errors import UsageError

TOML = """# a comment = 1
[zdd]
lock_timeout = "soon"
name = "shop"

[nginx]
include = "x"
listen = 80

[service.web]
run = gunicorn app
socket = "udp"
hots = "shop.test"
instances = 0
env = { A = "a\\qb" }
health_path = "/a"
health_command = "true"

[service."Web 2"]
command = "app"
build = '''
[zdd]
instances = 1
'''
instances = [
    "many",
]

[release]
keep_releases = 0
source = "."
source = ".."
"""
TOML_MISTAKES = [
    (3, '[zdd] lock_timeout = "soon" is not allowed; it must be a duration'),
    (4, "[zdd] name is not a known key; did you mean project?"),
    (7, "[nginx] include needs reload"),
    (8, "[nginx] listen has no effect with include"),
    (11, "not TOML: Invalid value (column 7): run = gunicorn app"),
    (12, '[service.web] socket = "udp" is not allowed; it must be one of'),
    (13, "[service.web] hots is not a known key; did you mean host?"),
    (14, "[service.web] instances = 0 is not allowed; it must be a whole number"),
    (15, "not TOML: Unescaped"),
    (17, "[service.web] health_command and health_path exclude each other"),
    (19, '[service.Web 2] "Web 2" cannot name a service'),
    (20, "[service.Web 2] command is not a known key; did you mean run?"),
    (21, "[service.Web 2] build is not a known key; it belongs in [release]"),
    (25, "[service.Web 2] instances = ['many'] is not allowed"),
    (30, "[release] keep_releases = 0 is not allowed"),
    (32, "not TOML: Cannot overwrite a value"),
]
INI = """project = x
[zdd]
project
lock_timeout = soon
[nginx
listen = 1
[service:web]
run = app
run = app 2
instances = 1000
host = $host
env = A=1
    B
[service:old]
start = %(x)s
[nginx]
listen = 99999
"""
INI_MISTAKES = [
    (1, "not INI: 'project = x' comes before any [section]"),
    (3, "not INI: 'project' is not key = value"),
    (4, "[zdd] lock_timeout = soon is not allowed"),
    (5, "not INI: '[nginx' is no [section]"),
    (9, "[service:web] run is set twice, first in line 8"),
    (10, "[service:web] instances = 1000 is not allowed"),
    (11, "[service:web] host = $host is not allowed; it must be host names such as shop.example.org; nginx knows no"),
    (12, "[service:web] env = B is not allowed"),
    (14, "[service:old] needs stop and pid_file"),
    (15, "[service:old] start: %(x)s names no key"),
    (16, "[nginx] needs template and pid_file, because service old has start"),
    (17, "[nginx] listen = 99999 is not allowed"),
]


@pytest.mark.parametrize(
    ("name", "text", "mistakes"), [("deploy.toml", TOML, TOML_MISTAKES), ("deploy.conf", INI, INI_MISTAKES)]
)
def test_all_mistakes_are_told_at_once_each_with_its_line(
    tmp_path: Path, name: str, text: str, mistakes: list[tuple[int, str]]
) -> None:
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(UsageError) as caught:
        load(path)

    told = str(caught.value).split("\n")
    assert len(told) == len(mistakes), caught.value
    for line, (number, words) in zip(told, mistakes, strict=True):
        assert line.startswith(f"{path}: line {number}: {words}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("service.web.run = 1\n", 1),
        ("[service]\nweb = { run = 1 }\n", 2),
        ("[service]\nweb.run = 1\n", 2),
        ("[service]\n# [service.web]\n[service . 'web']\n\n  'run'=1", 5),
        ('[service.web]\nenv = """\n[service.web]\nrun = 1\n"""\nrun = 1', 6),
        ("[service.web]\nenv = { A = '}' }\nhost = [\n'# ]',\n] # [\nrun = 1\n", 6),
    ],
)
def test_the_line_of_a_key_is_found_however_it_is_written(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match=f"line {line}: .service.web. run = 1 is not allowed"):
        load(path)


def test_check_has_a_finding_for_each_mistake(tmp_path: Path) -> None:
    tmp_path.joinpath("deploy.toml").write_text(TOML)

    ran = subprocess.run(
        [sys.executable, "-m", "zdd", "check", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 2, ran.stderr
    answer = json.loads(ran.stdout)
    assert [finding["check"] for finding in answer["findings"]] == ["configuration"] * len(TOML_MISTAKES)
    assert answer["errors"] == len(TOML_MISTAKES)


@pytest.mark.parametrize("what", ["a FIFO", "an endless device", "a large file", "a folder"])
def test_what_is_no_configuration_is_refused_and_not_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / "deploy.toml"
    match what:
        case "a FIFO":
            os.mkfifo(path)
        case "an endless device":
            path.symlink_to("/dev/zero")
        case "a large file":
            with path.open("wb") as file:
                file.truncate(1 << 34)
        case "a folder":
            path.mkdir()

    with pytest.raises(UsageError, match=f"{path}.*(regular file|KiB|directory)"):
        load(path)


def test_a_key_of_very_many_names_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text("[zdd]\n" + "a." * 400_000 + "b = 1\n")  # the reader of the library would take half an hour

    with pytest.raises(UsageError, match="line 2: not TOML that zdd reads"):
        load(path)


def test_neither_env_file_nor_template_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.template")
    path = tmp_path / "deploy.toml"
    path.write_text("[nginx]\ntemplate = 'fifo.template'\n[service.web]\nrun = 'app'\n")

    with pytest.raises(UsageError, match=r"line 2: .nginx. cannot read template .* regular file"):
        load(path)
    with pytest.raises(UsageError, match=r"env_file .*fifo.template.* regular file"):
        env_file.read(tmp_path / "fifo.template")
