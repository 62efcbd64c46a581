"""What failed first is what is told: on the screen, to programs, in the history and to on_failure."""

from __future__ import annotations

import pytest

from .code import configure, lines
from .project import Project

TOLD = "{ env | grep ^ZDD_ | sort; pwd; } > %s/told"
BAD = '[release]\nbuild = ["echo one; echo the reason >&2; exit 3"]\n'
CAUSE = "build: `echo one; echo the reason >&2; exit 3` ended with exit status 3"


def told(project: Project) -> dict[str, str]:
    """What on_failure was given, and as "pwd" where it ran."""
    *env, folder = lines(project.folder / "told")
    return dict(line.split("=", 1) for line in env) | {"pwd": folder}


def test_a_failed_build_runs_on_failure_in_the_release_that_serves_and_its_own_cause_is_told_everywhere(
    project: Project,
) -> None:
    code = configure(project, zdd=f"on_failure = '{TOLD % project.folder}'\n")
    project.zddeploy()
    first = project.status()["release"]
    project.replace("deploy.toml", "[release]\n", BAD)
    second = code.commit(2)

    events = project.events(code=1)
    refused = project.zddeploy(code=1)

    assert (events[-1]["outcome"], events[-1]["cause"]) == ("undone", CAUSE)
    assert events[-1]["output"][-2:] == ["one", "the reason"]
    assert f"zddeploy: {CAUSE}\n" in refused.stderr
    assert "  | one\n  | the reason\n  all its output: " in refused.stderr
    entry = project.events("history", "-n", "1")[0]
    assert (entry["outcome"], entry["cause"], entry["output"][-2:]) == ("undone", CAUSE, ["one", "the reason"])
    hook = told(project)
    assert (hook["ZDD_CAUSE"], hook["ZDD_OUTCOME"], hook["ZDD_DEPLOY"]) == (CAUSE, "undone", "3")
    assert (hook["ZDD_RELEASE"], hook["ZDD_PREVIOUS_RELEASE"], hook["ZDD_RELEASE_PATH"]) == (second, first, "")
    assert hook["pwd"] == f"{project.state}/releases/{first}"
    assert "X-Release: 1\r\n" in project.get()


def test_where_nothing_serves_yet_on_failure_runs_beside_the_configuration(project: Project) -> None:
    configure(project, zdd=f"on_failure = '{TOLD % project.folder}'\n")
    project.replace("deploy.toml", "[release]\n", BAD)

    refused = project.zddeploy(code=1)

    assert f"zddeploy: {CAUSE}\n" in refused.stderr
    assert told(project)["pwd"] == str(project.folder)
    assert told(project)["ZDD_RELEASE_PATH"] == ""


def test_a_version_that_was_built_and_fails_has_its_on_failure_in_its_own_release(project: Project) -> None:
    code = configure(project, zdd=f"on_failure = '{TOLD % project.folder}'\n", before_start="test ! -e broken")
    project.zddeploy()
    second = code.commit(2, broken="yes")

    project.zddeploy(code=1)

    hook = told(project)
    assert hook["pwd"] == hook["ZDD_RELEASE_PATH"] == f"{project.state}/releases/{second}"


@pytest.mark.parametrize(
    ("command", "notice"),
    [
        ("echo no such channel; exit 9", "on_failure `echo no such channel; exit 9` ended with exit status 9"),
        (f"true {'x' * 140_000}", "Argument list too long"),  # more than the kernel lets anybody start
    ],
    ids=["fails", "cannot be started"],
)
def test_an_on_failure_that_fails_is_a_notice_beside_the_cause(project: Project, command: str, notice: str) -> None:
    code = configure(project, zdd=f"on_failure = '{command}'\n")
    project.zddeploy()
    project.replace("deploy.toml", "[release]\n", BAD)
    code.commit(2)

    events = project.events(code=1)

    assert any(event["event"] == "notice" and notice in event["text"] for event in events)
    assert (events[-1]["event"], events[-1]["cause"], events[-1]["exit"]) == ("result", CAUSE, 1)
    assert project.events("history", "-n", "1")[0]["cause"] == CAUSE


def test_a_history_that_cannot_be_written_hides_no_cause_and_on_failure_runs(project: Project) -> None:
    code = configure(project, zdd=f"on_failure = '{TOLD % project.folder}'\n")
    project.zddeploy()
    (project.state / "history.jsonl").unlink()
    (project.state / "history.jsonl").mkdir()
    project.replace("deploy.toml", "[release]\n", BAD)
    code.commit(2)

    refused = project.zddeploy(code=1)

    assert f"zddeploy: {CAUSE}\n" in refused.stderr
    assert "  | one\n  | the reason\n  all its output: " in refused.stderr
    assert f"cannot write {project.state}/history.jsonl" in refused.stdout
    assert told(project)["ZDD_CAUSE"] == CAUSE


def test_a_log_that_cannot_be_written_keeps_no_on_failure_from_running(project: Project) -> None:
    code = configure(project, zdd=f"on_failure = '{TOLD % project.folder}'\n")
    project.zddeploy()
    project.replace("deploy.toml", "[release]\n", f'[release]\nbuild = ["rm -r {project.state}/logs; exit 3"]\n')
    code.commit(2)

    refused = project.zddeploy(code=1)

    assert "ended with exit status 3" in refused.stderr.splitlines()[0]
    assert "ended with exit status 3" in told(project)["ZDD_CAUSE"]


LOUD = "printf 'npm error Missing script: \"build\"\\n'; seq 40; exit 1"
WHY = 'its log says: npm error Missing script: "build"'


@pytest.mark.parametrize("where", ["build", "before_start"])
def test_the_line_that_says_why_is_told_though_much_is_printed_after_it(project: Project, where: str) -> None:
    code = configure(project, **({"before_start": LOUD} if where == "before_start" else {}))
    if where == "build":
        project.replace("deploy.toml", "[release]\n", f"[release]\nbuild = ['''{LOUD}''']\n")
    code.commit(2)

    refused = project.zddeploy(code=1).stderr.splitlines()

    assert refused[0].endswith(f"ended with exit status 1; {WHY}")
    assert [line for line in refused if line.startswith("  | ")] == [f"  | {number}" for number in range(21, 41)]
    assert WHY in project.events("history", "-n", "1")[0]["cause"]
