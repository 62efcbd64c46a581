"""Help fits into 80 columns, its examples work, and TAB completes names."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess

import click
import pytest

from zdd.cli.main import COMMANDS, program

from ..system.classic import ClassicProject
from ..system.project import BIN

WIDE = 80
NARROW = os.environ | {"COLUMNS": str(WIDE), "PATH": f"{BIN}:{os.environ['PATH']}"}


def command(name: str) -> click.Command:
    loaded = program.get_command(click.Context(program), name)
    assert loaded is not None
    return loaded


def shown(*args: str) -> list[str]:
    run = subprocess.run([BIN / "zddeploy", *args, "--help"], env=NARROW, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def examples(name: str) -> list[list[str]]:
    """Return the examples of a command as lists of words, without their explanations."""
    text = command(name).help or ""
    lines = re.findall(r"(?m)^\s*(?:sudo )?(zddeploy .*?)(?:\s{3,}.*)?$", text.partition("Example")[2])
    return [shlex.split(re.split(" >>? ", line)[0], comments=False) for line in lines]


def test_the_summary_of_each_command_is_one_whole_sentence() -> None:
    lines = [line for line in shown() if line.split() and line.split()[0] in COMMANDS]

    assert len(lines) == len(COMMANDS)
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_has_examples_that_stay_on_their_lines(name: str) -> None:
    assert examples(name)
    help_ = shown(name)

    wanted = [line.strip() for line in (command(name).help or "").splitlines() if line.strip().startswith("zddeploy ")]
    assert [line for line in wanted if f"    {line}" not in help_] == []
    assert [line for line in help_ if len(line) > WIDE] == []


@pytest.mark.parametrize(("name", "words"), [(name, words) for name in COMMANDS for words in examples(name)])
def test_each_example_can_be_typed(name: str, words: list[str]) -> None:
    args = words[1:] if words[1:] and words[1] in COMMANDS else ["deploy", *words[1:]]
    assert args[0] == name

    loaded = command(name)
    parent = click.Context(program, **program.context_settings)  # a command keeps the help option of its first context
    with loaded.make_context(name, args[1:], parent) as ctx:  # raises for what it does not have
        assert ctx.info_name == name


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("zddeploy ro", ["rollback"]),
        ("zddeploy -v st", ["status"]),
        ("zddeploy deploy ", ["web"]),
        ("zddeploy -c deploy.conf restart w", ["web"]),
        ("zddeploy exec ", ["web"]),
        ("zddeploy rollback ", ["1"]),
        ("zddeploy logs --instance w", ["web-1"]),
        ("zddeploy logs --inst", ["--instance"]),
        ("zddeploy logs --ro", []),  # only a timer needs it
        ("zddeploy completion z", ["zsh"]),
        ("zddeploy -c nosuch.conf deploy ", []),
    ],
)
def test_bash_completes_commands_services_and_versions(
    deployed: ClassicProject, typed: str, proposed: list[str]
) -> None:
    script = subprocess.run(
        [BIN / "zddeploy", "completion", "bash"], env=NARROW, capture_output=True, text=True, check=True
    )
    words = typed.split(" ")
    ask = f"""
{script.stdout}
COMP_WORDS=({" ".join(words[:-1])} "{words[-1]}") COMP_CWORD={len(words) - 1}
_zddeploy_completion zddeploy
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    run = subprocess.run(
        ["bash", "-c", ask], cwd=deployed.folder, env=NARROW, capture_output=True, text=True, check=True
    )

    assert run.stderr == ""
    assert run.stdout.split() == proposed


def test_without_anything_typed_bash_proposes_the_commands(deployed: ClassicProject) -> None:
    env = NARROW | {"COMP_WORDS": "zddeploy ", "COMP_CWORD": "1", "_ZDDEPLOY_COMPLETE": "bash_complete"}
    run = subprocess.run([BIN / "zddeploy"], cwd=deployed.folder, env=env, capture_output=True, text=True, check=True)

    assert [line.partition(",")[2] for line in run.stdout.splitlines()] == list(COMMANDS)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_script_and_get_the_same_names(deployed: ClassicProject, shell: str) -> None:
    script = subprocess.run([BIN / "zddeploy", "completion", shell], capture_output=True, text=True, check=True).stdout
    if program_of_shell := shutil.which(shell):
        subprocess.run([program_of_shell, "-n"], input=script, text=True, check=True)
    assert f"_ZDDEPLOY_COMPLETE={shell}_complete" in script
    env = NARROW | {"_ZDDEPLOY_COMPLETE": f"{shell}_complete", "COMP_WORDS": "zddeploy deploy ", "COMP_CWORD": "2"}
    env["COMP_CWORD"] = "" if shell == "fish" else "2"

    run = subprocess.run([BIN / "zddeploy"], cwd=deployed.folder, env=env, capture_output=True, text=True, check=True)

    assert "web" in run.stdout
