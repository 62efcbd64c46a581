"""`--strict-skips`, as .ci/run has it: what is skipped fails, unless tests/skips.txt has it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import skips
from .test_quick import ROOT, run

SKIPS = """
import pytest
def test_here(): pytest.skip("no such tool")
@pytest.mark.skipif(True, reason="not today")
def test_marked(): pass
@pytest.mark.xfail(reason="known")
def test_expected(): assert False
def test_passes(): pass
"""
MODULE = """
import pytest
pytest.importorskip("no_such_module")
"""


def test_a_run_with_a_skipped_test_that_is_not_listed_fails(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(SKIPS)
    plugin = ("-p", "tests.skips", "-c", os.devnull, "--rootdir", tmp_path, tmp_path)

    lenient, strict = run(*plugin), run("--strict-skips", *plugin)

    assert lenient.returncode == 0, lenient.stdout
    assert strict.returncode == 1
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in strict.stdout
    assert f"skipped, and not in {skips.LIST}: test_some.py::test_here: no such tool" in strict.stdout
    assert "test_some.py::test_marked: not today" in strict.stdout


def test_so_does_one_that_skips_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "test_module.py").write_text(MODULE)
    plugin = ("-p", "tests.skips", "-c", os.devnull, "--rootdir", tmp_path, tmp_path)

    strict = run("--strict-skips", *plugin)

    assert strict.returncode == 2, strict.stdout
    assert "test_module.py: could not import 'no_such_module'" in strict.stdout


@pytest.mark.parametrize("name", ["a/test_x.py::test_one", "a/test_x.py::test_one[1]"])
def test_a_skip_is_allowed_on_its_machine_by_its_name_and_for_its_reason(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(skips, "MACHINES", {"root": True, "user": False})

    for listed in ("a/test_x.py::test_one", "a/test_x.py", "a"):
        assert skips.Skip("root", listed, "why").allows(name, "why")
        assert not skips.Skip("user", listed, "why").allows(name, "why")
        assert not skips.Skip("root", listed, "why").allows(name, "another reason")
    for other in ("a/test_x.py::test_on", "a/test_x", "b"):
        assert not skips.Skip("root", other, "why").allows(name, "why")


@pytest.mark.parametrize("skip", skips.listed(), ids=lambda skip: f"{skip.machine} {skip.name}")
def test_what_the_list_has_is_there(skip: skips.Skip) -> None:
    file, _, test = skip.name.partition("::")

    assert skip.machine in skips.MACHINES
    assert (ROOT / file).exists()
    assert not test or f"def {test}(" in (ROOT / file).read_text()


def test_ci_is_strict() -> None:
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith("./dev ")]

    assert commands == ["./dev lint", *(f"./dev {tests} --strict-skips --again" for tests in ("test", "lab"))]
