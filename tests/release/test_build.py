from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from zdd.errors import DeployFailed, UsageError
from zdd.host import files, process
from zdd.release import disk
from zdd.release.releases import Releases, Revision
from zdd.release.work import BuildFailed

from .house import House, Repository, write


class Interrupted(DeployFailed):
    pass


def test_a_release_is_complete_only_when_it_is_built(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    releases = house.releases(repository.path, build=["ls .. >seen"])
    revision = releases.resolve()
    assert not releases.is_complete(revision.id)

    path = releases.build(revision, house.log)

    assert path == releases.path(revision.id) == f"{house.state}/releases/{revision.id}"
    assert Path(path, "seen").read_text().split() == [revision.id]
    assert releases.is_complete(revision.id)
    assert releases.ids() == [revision.id]


def test_build_commands_run_in_the_release_with_its_environment_and_are_logged(
    house: House, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(app_py="one")
    monkeypatch.setenv("BUILD_ID", "a job that Jenkins kills")
    monkeypatch.setenv("NPM_TOKEN", "token")
    Path(house.log).write_text("before\n")
    commands = [
        "cat app.py; echo >&2 to stderr",
        'echo $ZDD_PROJECT $ZDD_RELEASE $ZDD_RELEASE_PATH $NPM_TOKEN "$BUILD_ID."',
    ]
    releases = house.releases(repository.path, build=commands)

    id = house.build(releases)  # noqa: A001

    assert house.logged().splitlines() == [
        "before",
        f"$ {commands[0]}",
        "oneto stderr",
        f"$ {commands[1]}",
        f"shop {id} {releases.path(id)} token .",
    ]


def test_a_failing_command_is_named_with_its_last_lines_and_leaves_nothing(
    house: House, repository: Repository
) -> None:
    repository.commit(app_py="one")
    Path(house.log).write_text("earlier\n")
    command = "sleep 60 & seq 30; false; echo not reached"
    releases = house.releases(repository.path, build=["touch made", command, "touch never"])

    with pytest.raises(BuildFailed) as caught:
        house.build(releases)

    assert caught.value.message == f"build: `{command}` ended with exit status 1"
    assert caught.value.output == [str(number) for number in range(11, 31)]
    assert caught.value.log == house.log
    assert house.left() == releases.ids() == []
    assert process.with_environment("ZDD_BUILD", releases.path(releases.resolve().id)) == []


def test_the_output_of_a_failing_command_is_its_own(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    releases = house.releases(repository.path, build=["echo of another", "echo of this; kill -9 $$"])

    with pytest.raises(BuildFailed, match="ended with SIGKILL") as caught:
        house.build(releases)

    assert caught.value.output == ["of this"]


def test_a_revision_that_was_built_is_used_again_and_counts_as_new(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    releases = house.releases(repository.path, build=["date +%N >built"])
    first = house.build(releases)
    repository.commit(app_py="two")
    second = house.build(releases)
    built = Path(releases.path(first), "built").read_text()
    assert releases.ids() == [second, first]

    assert house.build(releases, first) == first

    assert Path(releases.path(first), "built").read_text() == built
    assert releases.ids() == [first, second]


def test_a_revision_is_built_anew_when_what_builds_it_has_changed(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    first = house.build(house.releases(repository.path))
    changed = house.releases(repository.path, build=["touch made"])

    second = house.build(changed)

    assert second == f"{first}-2"
    assert Path(changed.path(second), "made").exists()
    assert house.build(changed) == second
    assert house.build(house.releases(repository.path)) == first


def test_a_commit_is_built_again_in_a_folder_of_its_own_which_the_next_deploy_uses(
    house: House, repository: Repository
) -> None:
    commit = repository.commit(app_py="one")
    releases = house.releases(repository.path, build=["date +%N >built"])
    first = house.build(releases)
    before = Path(releases.path(first), "built").read_text()

    ids = []
    for _ in range(2):
        revision = releases.resolve(rebuild=True)
        releases.build(revision, house.log)
        ids.append(revision.id)

    assert ids == [f"{commit[:12]}-2", f"{commit[:12]}-3"]
    assert Path(releases.path(first), "built").read_text() == before
    assert house.build(releases) == ids[-1], "and not the first one, which something was wrong with"
    releases.remove(ids[0])
    assert releases.resolve(rebuild=True).id == f"{commit[:12]}-4"
    assert releases.resolve().id == ids[-1]


def test_an_interrupt_ends_the_whole_build_and_leaves_nothing(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    releases = house.releases(repository.path, build=["setsid sleep 60 & (sleep 61; true) & sleep 62"])
    revision = releases.resolve()

    def interrupt() -> None:
        if len(building()) == 5:
            raise Interrupted("interrupted by SIGINT")

    def building() -> list[int]:
        return process.with_environment("ZDD_BUILD", releases.path(revision.id))

    releases.interrupt = interrupt
    with pytest.raises(Interrupted):
        releases.build(revision, house.log)

    assert building() == []
    assert house.left() == []


def test_what_a_complete_build_leaves_running_is_let_be(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    begun = time.monotonic()
    releases = house.releases(repository.path, build=["sleep 60 & echo $! >pid"])

    id = house.build(releases)  # noqa: A001

    assert time.monotonic() - begun < 50  # seconds; it sleeps for 60
    left = process.Process.find(int(Path(releases.path(id), "pid").read_text()))
    assert left
    assert left.signal(9)


@pytest.mark.parametrize("step", ["copy", "marker", "sync"])
def test_a_full_disk_fails_the_build_and_leaves_nothing(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/file")

    write(tmp_path / "code/app.py", "one")
    where, name = {"copy": (os, "sendfile"), "marker": (files, "write"), "sync": (disk, "sync")}[step]
    monkeypatch.setattr(where, name, fail)
    releases = house.releases(tmp_path / "code")

    with pytest.raises(BuildFailed, match="No space left on device"):
        house.build(releases)

    assert house.left() == []


def test_a_marker_without_its_release_does_not_make_a_half_built_one_complete(
    house: House, repository: Repository
) -> None:
    repository.commit(app_py="one")
    releases = house.releases(repository.path)
    id = house.build(releases)  # noqa: A001
    shutil.rmtree(releases.path(id))
    seen = []
    again = house.releases(repository.path, lambda: seen.append(again.is_complete(id)), build=["true"])

    again.build(Revision(id, releases.resolve().commit), house.log)

    assert True not in seen
    assert again.is_complete(id)


def test_a_folder_is_copied_as_it_is(house: House, tmp_path: Path) -> None:
    code = tmp_path / "code"
    write(code / "bin/run", "#!/bin/sh\n").chmod(0o4755)
    write(code / "lib/.git", "gitdir: elsewhere")
    (code / "link").symlink_to("bin/run")
    (code / "dangling").symlink_to("/nowhere")
    (code / "empty").mkdir(mode=0o555)
    os.mkfifo(code / "pipe")
    os.utime(code / "bin/run", (1000, 1000))
    os.utime(code / "bin", (2000, 2000))
    releases = house.releases(code)

    id = house.build(releases)  # noqa: A001

    release = Path(releases.path(id))
    assert sorted(os.listdir(release)) == ["bin", "dangling", "empty", "lib", "link"]
    assert os.listdir(release / "lib") == []
    assert os.readlink(release / "link") == "bin/run"
    assert os.readlink(release / "dangling") == "/nowhere"
    assert stat.S_IMODE((release / "bin/run").stat().st_mode) == 0o755  # root's copy of a set-user-ID file is not one
    assert stat.S_IMODE((release / "empty").stat().st_mode) == 0o555
    assert ((release / "bin/run").stat().st_mtime, (release / "bin").stat().st_mtime) == (1000, 2000)


def test_a_folder_is_copied_without_our_own_state(house: House, tmp_path: Path) -> None:
    write(tmp_path / "app.py", "one")
    releases = house.releases(tmp_path)

    names = os.listdir(releases.path(house.build(releases)))

    assert "app.py" in names
    assert "S" not in names


def test_a_folders_release_is_named_by_the_moment_and_each_is_new(house: House, tmp_path: Path) -> None:
    write(tmp_path / "code/app.py", "one")
    releases = house.releases(tmp_path / "code")

    begun = time.gmtime()
    built = [house.build(releases) for _ in range(3)]
    ended = time.gmtime()

    assert len(set(built)) == 3
    assert releases.ids() == built[::-1]
    assert time.strftime("%Y%m%d-%H%M%S", begun) <= built[0][:15] <= time.strftime("%Y%m%d-%H%M%S", ended)


def test_a_folder_has_no_revisions(house: House, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()

    with pytest.raises(UsageError, match="is no git repository and has no revision 'main'"):
        house.releases(tmp_path / "code").resolve("main")


def test_copying_can_be_interrupted(house: House, tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / f"code/{number}", "text")
    releases = house.releases(tmp_path / "code")
    calls: list[None] = []

    def interrupt() -> None:
        calls.append(None)
        if len(calls) == 5:
            raise Interrupted("interrupted")

    releases.interrupt = interrupt
    with pytest.raises(Interrupted):
        releases.build(releases.resolve(), house.log)

    assert house.left() == []


def test_a_folder_that_may_not_be_read_is_named(house: House, tmp_path: Path) -> None:
    write(tmp_path / "code/secret", "text")
    releases = house.releases(tmp_path / "code")
    revision = releases.resolve()
    shutil.rmtree(tmp_path / "code")

    with pytest.raises(BuildFailed, match=rf"cannot build release .*{tmp_path}/code: No such file"):
        releases.build(revision, house.log)


def test_current_leads_to_the_release_made_current_which_is_the_newest(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    releases = house.releases(repository.path)
    assert releases.current() is None
    first = house.build(releases)
    repository.commit(app_py="two")
    second = house.build(releases)

    for id in (second, first):  # noqa: A001
        releases.make_current(id)
        assert os.readlink(house.state / "current") == f"releases/{id}"
        assert (releases.current(), releases.ids()[0]) == (id, id)


@pytest.mark.parametrize("id", ["", ".", "..", "../releases", "lost+found", "current"])
def test_only_ids_that_zdd_gives_name_releases(house: House, repository: Repository, id: str) -> None:  # noqa: A002
    repository.commit(app_py="one")
    releases: Releases = house.releases(repository.path)
    house.build(releases)
    subprocess.run(["touch", f"{house.state}/releases/{id}.complete"], check=True)

    assert not releases.is_complete(id)
