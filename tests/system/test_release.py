"""Releases built from git: deployed, rolled back, brought up again, with what they share."""

from __future__ import annotations

import json
import os
import re
import sys
import time

import pytest

from tests.waiting import eventually
from zdd.load import Kind

from .code import configure
from .project import LIGHT, Project, assert_nothing_lost


def serves(project: Project, number: int) -> None:
    """For a second after a switch both versions answer; then this one."""
    eventually(lambda: f"X-Release: {number}\r\n" in project.get())


def test_each_version_is_built_in_a_folder_of_its_own_and_the_live_one_is_current(project: Project) -> None:
    code = configure(project, release='build = ["echo built > built"]')
    project.zddeploy()
    second = code.commit(2)
    project.zddeploy()

    serves(project, 2)
    assert os.readlink(project.state / "current") == f"releases/{second}"
    assert (project.state / "current/built").read_text() == "built\n"
    assert project.status()["release"] == second
    assert project.status()["services"][0]["release"] == second


def test_a_failing_build_changes_nothing_and_shows_its_last_words(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    project.replace("deploy.toml", "[release]\n", '[release]\nbuild = ["echo one; echo the reason >&2; exit 3"]\n')
    bad = code.commit(2)

    refused = project.zddeploy(code=1)

    assert "exit status 3" in refused.stderr
    assert "| the reason" in refused.stderr
    assert "deploy 1 still serves" in refused.stderr
    assert not (project.state / "releases" / bad).exists()
    serves(project, 1)


def test_an_older_revision_is_deployed_by_name_and_not_built_again(project: Project) -> None:
    code = configure(project, release=f'build = ["echo x >> {project.folder}/builds"]')
    first = project.status()
    assert first["deploy"] is None
    project.zddeploy()
    one = project.status()["release"]
    code.commit(2)
    project.zddeploy()
    project.zddeploy("--rev", one)

    serves(project, 1)
    assert len((project.folder / "builds").read_text().splitlines()) == 2


def test_an_unknown_revision_is_refused_before_anything_is_touched(project: Project) -> None:
    configure(project)

    assert "--rev is empty" in project.zddeploy("--rev", "", code=2).stderr  # as of "$CI_COMMIT_TAG"
    refused = project.zddeploy("--rev", "nonsense", code=2)

    assert "nonsense" in refused.stderr
    assert project.status()["deploy"] is None


def test_a_warm_rollback_is_one_rename_and_loses_nothing(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    old = project.instances()["web-1"]["pid"]
    with project.load((Kind(), Kind("POST", "/echo", body=500)), **LIGHT) as load:
        events = project.events("rollback")
        serves(project, 1)
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert project.serving() == {"web-1": old}
    print(f"rolled back in {events[-1]['seconds']:.3f} s")


def test_a_rollback_repeated_goes_further_back(project: Project) -> None:
    code = configure(project)
    for number in (1, 2, 3):
        if number > 1:
            code.commit(number)
        project.zddeploy()

    project.zddeploy("rollback")
    serves(project, 2)
    project.zddeploy("rollback")
    serves(project, 1)
    refused = project.zddeploy("rollback", code=2)
    assert "so there is none to roll back to" in refused.stderr


def test_a_version_that_a_rollback_had_to_start_is_revived_as_long_as_it_is_warm(project: Project) -> None:
    code = configure(project, keep_warm="0s")
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    project.zddeploy("rollback")
    project.replace("deploy.toml", 'keep_warm = "0s"', 'keep_warm = "60s"')
    code.commit(3)
    shown = project.zddeploy().stdout
    assert re.search(r"web-3 +kept warm, for `zddeploy rollback`", shown)

    shown = project.zddeploy("rollback").stdout

    assert list(project.serving()) == ["web-3"]
    assert project.events("history", "-n", "1")[0]["origin"] == 1
    assert re.search(r"web-4 +kept warm, for `zddeploy rollback 4`", shown)
    project.zddeploy("rollback", "4")
    assert list(project.serving()) == ["web-4"]


def test_a_warm_version_is_asked_as_it_was_when_it_was_proved(project: Project) -> None:
    code = configure(project, start_timeout="20s")
    project.zddeploy()
    project.replace("deploy.toml", 'health_path = "/"', 'health_command = "grep 2 VERSION"')
    code.commit(2)
    project.zddeploy()

    project.zddeploy("rollback")

    assert list(project.serving()) == ["web-1"]


def test_what_is_no_longer_warm_is_started_from_its_release_and_proven(project: Project) -> None:
    code = configure(project, keep_warm="0s")
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    eventually(lambda: list(project.instances()) == ["web-2"])

    project.zddeploy("rollback", "1")

    serves(project, 1)
    assert list(project.serving()) == ["web-3"]
    entry = project.events("history", "-n", "1")[0]
    assert (entry["action"], entry["origin"], entry["outcome"]) == ("rollback", 1, "done")


def test_after_down_the_last_good_release_comes_up(project: Project) -> None:
    code = configure(project, before_start="test ! -e broken")
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    code.commit(3, broken="yes")
    project.zddeploy(code=1)
    project.zddeploy("down")

    project.zddeploy("up")

    serves(project, 2)
    assert "is up already" in project.zddeploy("up").stdout


def test_after_a_reboot_nothing_is_believed_and_up_starts_the_last_good_release(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    project.reboot()
    assert project.status()["state"] == "down"

    project.zddeploy("up")

    serves(project, 2)
    assert list(project.serving()) == ["web-3"]


def test_shared_paths_and_old_assets_outlive_a_release(project: Project) -> None:
    code = configure(project, release='shared = ["uploads/"]\nassets = ["static"]')
    code.commit(1, static__one="first\n", static__app="app 1\n")
    project.zddeploy()
    (project.state / "current/uploads/picture").write_text("kept")
    code.commit(2, static__one=None, static__two="second\n", static__app="app 2\n")
    project.zddeploy()

    assert (project.state / "current/uploads/picture").read_text() == "kept"
    assert "first" in project.get("/static/one")
    assert "second" in project.get("/static/two")
    assert "app 2" in project.get("/static/app")
    project.zddeploy("rollback")
    assert "app 1" in project.get("/static/app")


def test_old_releases_are_pruned_but_never_what_runs(project: Project) -> None:
    code = configure(project, release="keep_releases = 2", keep_warm="0s")
    for number in range(2, 7):
        project.zddeploy()
        code.commit(number)
    time.sleep(0.1)

    kept = {path.name for path in (project.state / "releases").iterdir() if path.is_dir()}
    assert len(kept) <= 3
    assert project.status()["release"] in kept


def test_only_releases_that_have_served_are_kept_counted_and_offered(project: Project) -> None:
    code = configure(project, release="keep_releases = 3", keep_warm="0s", before_start="test ! -e broken")
    good = []
    for number in (1, 2):
        good.append(code.commit(number, app_py=f"{number}"))
        project.zddeploy()
    for number in range(3, 7):
        bad = code.commit(number, broken="yes")
        project.zddeploy(code=1)
    good.append(code.commit(7, broken=None))
    project.zddeploy()

    assert sorted(path.name for path in (project.state / "releases").iterdir() if path.is_dir()) == sorted(good)
    said = project.zddeploy("rollback", bad, code=2).stderr
    assert f"those that have served, the latest first: {good[2]}, {good[1]}, {good[0]}\n" in said


def test_after_the_clock_was_set_back_the_later_releases_are_the_newer_ones(project: Project) -> None:
    """As if the first two had been deployed five hours from now."""
    code = configure(project, release='keep_releases = 2\nassets = ["static"]', keep_warm="0s")
    built = []
    for number in range(1, 6):
        built.append(code.commit(number, static__app=f"app {number}\n"))
        project.zddeploy()
        for marker in (project.state / "releases").glob("*.complete") if number == 2 else ():
            os.utime(marker, (time.time() + 5 * 3600,) * 2)
    history = (project.state / "history.jsonl").read_text().splitlines()
    later = [json.loads(line) | {"started": time.time() + 5 * 3600} for line in history[:2]]
    (project.state / "history.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in later))
    built.append(code.commit(6, static__app="app 6\n"))
    project.zddeploy()

    kept = {path.name for path in (project.state / "releases").iterdir() if path.is_dir()}
    assert kept == set(built[-2:])
    assert "app 6" in project.get("/static/app")
    project.zddeploy("rollback")
    assert project.status()["release"] == built[-2]


def test_a_release_whose_python_is_gone_says_where_the_link_leads_and_is_built_again(project: Project) -> None:
    python = project.folder / "python-of-the-system"
    python.symlink_to(sys.executable)
    serve = '(echo "#!$PWD/python"; cat plain.py) > serve; chmod +x serve'
    release = f"build = ['ln -s {python} python', '{serve}']"
    configure(project, release=release, keep_warm="0s", run="./serve {fd}")
    project.zddeploy()
    first = project.status()["release"]
    python.unlink()
    for command in (["restart"], []):
        said = project.zddeploy(*command, code=1).stderr
        link = f"{project.state}/releases/{first}/python"
        assert (
            f"cannot run './serve': its first line names {link}, which leads to {python}, which does not exist" in said
        )
        assert "`zddeploy deploy --rebuild` builds the release again" in said
    assert list(project.serving()) == ["web-1"]

    old = project.serving()
    python.symlink_to(sys.executable)
    project.zddeploy("deploy", "--rebuild")

    assert project.status()["release"] == f"{first}-2"
    assert project.serving() != old
    project.zddeploy()
    assert project.status()["release"] == f"{first}-2", "a deploy of the same commit uses what was built last"


def test_a_hook_whose_python_is_gone_says_so_too(project: Project) -> None:
    python = project.folder / "python-of-the-system"
    python.symlink_to(sys.executable)
    configure(project, release=f"build = ['ln -s {python} python']", before_start="./python -c pass && echo started")
    project.zddeploy()
    python.unlink()

    said = project.zddeploy(code=1).stderr

    assert f"./python: it leads to {python}, which does not exist" in said
    assert "`zddeploy deploy --rebuild` builds the release again" in said


def test_without_releases_there_is_nothing_to_build_again(project: Project) -> None:
    configure(project)
    text = (project.folder / "deploy.toml").read_text()
    project.write("deploy.toml", re.sub(r"\[release\]\n[^[]*", "", text))

    assert "--rebuild needs a [release] section" in project.zddeploy("deploy", "--rebuild", code=2).stderr


def test_a_source_that_cannot_be_reached_says_why_and_where_the_rest_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = configure(project)
    project.zddeploy()
    project.replace("deploy.toml", f'source = "{code.folder}"', 'source = "ssh://git@code.test/shop.git"')
    ssh = project.write("ssh", "#!/bin/sh\necho Host key verification failed. >&2; exit 255\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))

    said = project.zddeploy(code=1).stderr

    assert "zddeploy: cannot fetch ssh://code.test/shop.git: Host key verification failed.\n" in said
    assert f"all its output: {project.state}/repo.git.log" in said
    assert "`ssh -T git@code.test` once as" in said
    assert "deploy 1 still serves" in said
