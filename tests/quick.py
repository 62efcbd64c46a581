"""`--quick`: the tests that start no server (no nginx, no keeper, no app) and put no load on one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The folders of tests that start servers: "*" for all of their tests, else the fixtures that start one.
SERVERS = {
    "chaos": {"*"},
    "classic_contract": {"*"},
    "cli": {"deployed", "project"},
    "contract": {"*"},
    "demo": {"*"},
    "fuzz": {"command"},
    "instances": {"house"},
    "keeper": {"house"},
    "lab": {"*"},
    "load": {"*"},
    "nginx": {"house", "program"},
    "system": {"*"},
    "upgrade": {"*"},
}
HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="run only what starts no server, and a sample of the walk")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        sys.addaudithook(_refuse_servers)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        config.hook.pytest_deselected(items=[item for item in items if starts_servers(item)])
        items[:] = [item for item in items if not starts_servers(item)]


def starts_servers(item: pytest.Item) -> bool:
    if isinstance(item, pytest.Function) and "[fake" in item.name:
        return False  # of one suite for what is real and for its fake
    folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
    return not SERVERS.get(folder, set()).isdisjoint({"*", *getattr(item, "fixturenames", ())})


def is_server(command: list[str]) -> bool:
    """Return whether this program with its words is nginx, a keeper, or a zddeploy that may start them."""
    names = {Path(word).name for word in command[:2]}  # an interpreter comes before its script
    if "zddeploy" in names:
        return not {"--help", "--version"} & {*command}
    return "nginx" in names or any(word.endswith("zdd/keeper/__main__.py") for word in command)


def _refuse_servers(event: str, args: tuple[object, ...]) -> None:
    """Fail the test that starts a server although SERVERS does not have it."""
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        command = args[1]
        words = [str(word) for word in command] if isinstance(command, list | tuple) else [str(command)]
        words[0] = str(args[0])  # the program, whatever name it is given
        if is_server(words):
            pytest.fail(f"{words} starts a server: name the folder or the fixture in {__file__}")
