from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zdd.host import trees
from zdd.release.releases import Releases

from .house import House, Repository, write


@pytest.fixture
def releases(house: House, repository: Repository) -> Releases:
    return house.releases(repository.path, keep_releases=2)


def build(house: House, repository: Repository, releases: Releases, number: int) -> list[str]:
    """Build some releases and return them, oldest first."""
    built = []
    for text in range(number):
        repository.commit(app_py=str(text))
        built.append(house.build(releases))
    return built


def test_the_newest_the_kept_and_the_current_release_stay(
    house: House, repository: Repository, releases: Releases
) -> None:
    built = build(house, repository, releases, 6)
    (house.state / "current").symlink_to(f"releases/{built[0]}")

    removed = releases.prune(releases.ids(), {built[2]})

    assert sorted(removed) == sorted([built[1], built[3]])
    assert releases.ids() == [built[number] for number in (5, 4, 2, 0)]
    assert house.left() == sorted(f"{name}{end}" for name in releases.ids() for end in ("", ".complete"))


def test_what_has_never_served_does_not_count_and_goes(
    house: House, repository: Repository, releases: Releases
) -> None:
    built = build(house, repository, releases, 6)

    removed = releases.prune([built[1], built[0]], {built[5]})

    assert sorted(removed) == sorted(built[2:5])
    assert sorted(releases.ids()) == sorted([built[0], built[1], built[5]])


def test_the_newest_is_the_one_made_last_whatever_the_clock_says(
    house: House, repository: Repository, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    hours = iter([now, now - 5 * 3600 * 10**9, now - 4 * 3600 * 10**9, now - 6 * 3600 * 10**9])
    monkeypatch.setattr(time, "time_ns", lambda: next(hours))

    built = build(house, repository, releases, 3)
    assert releases.ids() == built[::-1]

    releases.make_newest(built[0])
    assert releases.ids() == [built[0], built[2], built[1]]


def test_pruning_never_leaves_half_of_a_complete_release(
    house: House, repository: Repository, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = build(house, repository, releases, 3)[0]

    def die(path: str) -> None:
        assert path == releases.path(oldest)
        raise KeyboardInterrupt

    monkeypatch.setattr(trees, "remove", die)
    with pytest.raises(KeyboardInterrupt):
        releases.prune(releases.ids(), set())
    assert not releases.is_complete(oldest)
    monkeypatch.undo()

    assert releases.discard_half_built() == [oldest]
    assert len(house.left()) == 4


def test_what_cannot_be_removed_is_told_and_does_not_stop_the_rest(
    house: House, repository: Repository, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(house, repository, releases, 4)
    remove = trees.remove

    def fail(path: str) -> None:
        if path == releases.path(built[0]):
            raise OSError(errno.EPERM, "Operation not permitted", f"{path}/file")
        remove(path)

    monkeypatch.setattr(trees, "remove", fail)

    assert releases.prune(releases.ids(), set()) == [built[1]]
    assert f"cannot remove release {built[0]}: {releases.path(built[0])}/file: Operation" in house.notices[0]
    monkeypatch.undo()
    assert releases.prune(releases.ids(), set()) == [built[0]]


def test_half_built_releases_go_unless_they_are_kept_or_in_use(
    house: House, repository: Repository, releases: Releases
) -> None:
    live, running, kept, idle = build(house, repository, releases, 4)
    releases.make_current(live)
    for id in (live, running, kept, idle):  # noqa: A001
        os.unlink(releases.marker(id))
    write(house.state / f"releases/{idle}.complete.17.tmp", "")
    app = subprocess.Popen(["sleep", "60"], env={**os.environ, "ZDD_RELEASE_PATH": releases.path(running)})
    try:
        assert releases.discard_half_built({kept}) == [idle]
        assert house.left() == sorted([live, running, kept])
        assert app.poll() is None

        repository.git("reset", "--quiet", "--hard", running)
        assert house.build(releases) == f"{running}-2"  # and not where the app runs
    finally:
        app.kill()
        app.wait()


def test_what_zdd_did_not_make_stays(house: House, repository: Repository, releases: Releases) -> None:
    build(house, repository, releases, 1)
    write(house.state / "releases/lost+found/file", "text")
    write(house.state / "releases/notes.txt", "text")
    write(house.state / "releases/backup/file", "text")

    assert releases.prune(releases.ids(), set()) == []

    assert len(house.left()) == 5


def test_without_any_release_there_is_nothing_to_prune(releases: Releases) -> None:
    assert (releases.ids(), releases.prune(releases.ids(), set()), releases.discard_half_built()) == ([], [], [])


def test_removing_follows_no_link(tmp_path: Path) -> None:
    write(tmp_path / "outside/file", "text")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "top").symlink_to(tmp_path / "outside")

    trees.remove(str(folder))
    trees.remove(str(tmp_path / "top"))
    trees.remove(str(tmp_path / "never was"))

    assert os.listdir(tmp_path / "outside") == ["file"]
    assert not folder.exists()
    assert not (tmp_path / "top").is_symlink()


def test_folders_closed_to_writing_are_removed_by_their_owner(tmp_path: Path) -> None:
    script = (
        "import os; from zdd.host import trees\n"
        "if os.geteuid() == 0: os.chown('.', 12345, 12345); os.setuid(12345)\n"
        "os.makedirs('release/a/b'); open('release/a/b/file', 'w').close()\n"
        "os.makedirs('outside', 0o555); os.symlink('../../outside', 'release/a/link')\n"
        "for path, mode in (('a/b', 0o555), ('a', 0o000), ('', 0o555)): os.chmod('release/' + path, mode)\n"
        "trees.remove('release')\n"
        "assert os.listdir() == ['outside'] and os.stat('outside').st_mode & 0o777 == 0o555\n"
    )

    subprocess.run([sys.executable, "-c", script], cwd=tmp_path / "home", check=True)
