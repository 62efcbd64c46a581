"""Files and folders that another user may write: root works in them, and is led nowhere by them. Needs root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host import trees
from zdd.release import assets, disk, shared

from . import code
from .project import Project, configure, service
from .stranger import MALLORY, PYTHON, attack, attacking, give, needs_root

pytestmark = needs_root

# Puts a link to somebody else's file under the name, again and again, for as long as it lives.
PLANT = """
import os, sys
name, target = sys.argv[1:]
print("ready", flush=True)
while True:
    try:
        os.symlink(target, name)
    except OSError:
        pass
"""
# Is a file or a folder one moment, and a link to somebody else's the next.
SWAP = """
import os, sys
name, target = sys.argv[1:]
os.symlink(target, name + ".link")
print("ready", flush=True)
while True:
    os.rename(name, name + ".own")
    os.rename(name + ".link", name)
    os.rename(name, name + ".link")
    os.rename(name + ".own", name)
"""
NEST = """
import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])):
    os.mkdir("d")
    os.chdir("d")
print("nested", flush=True)
"""
# Adds files and folders wherever it can: thousands, since a test that gets no core must not meet a million of them.
ADD = """
import os, sys, time
os.chdir(sys.argv[1])
print("ready", flush=True)
for number in range(5000):
    try:
        os.makedirs(f"d{number}/d/d")
        open(f"d{number}/d/f", "w").close()
    except OSError:
        pass
time.sleep(600)
"""


# Holds a lock on whichever of these files he may open, until he is killed; prints them.
LOCK = """
import fcntl, os, sys, time
locked = []
for path in sys.argv[1:]:
    for flags in (os.O_RDONLY, os.O_WRONLY):
        try:
            fcntl.flock(os.open(path, flags | os.O_NONBLOCK), fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked.append(path)
        except OSError:
            pass
print(*locked, "ready", flush=True)
time.sleep(600)
"""
# Prints which of these he may read: files, and the names in folders.
READ = """
import os, sys
for path in sys.argv[1:]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
    except OSError:
        continue
    print(path)
"""
WEB = service("web", run=f"{PYTHON} -S plain.py {{socket}}", socket="unix", user=MALLORY.pw_name, keep_warm="0s")


@pytest.fixture
def secret(project: Project) -> Path:
    """A file of root's that nobody else can read or write."""
    path = project.write("root/secret", "secret")
    path.chmod(0o600)
    return path


def test_a_seed_planted_in_an_apps_own_folder_leads_root_to_no_other_file(project: Project, secret: Path) -> None:
    release, state = project.folder / "release", project.folder / "state"
    theirs = state / "shared/var"
    theirs.mkdir(parents=True)
    give(theirs)

    with attacking(PLANT, theirs / ".app.db.seed", secret):
        for _ in range(3000):
            project.write("release/var/app.db", "first content")
            shared.link(str(release), str(state / "shared"), ["var/app.db"], lambda _: None)
            assert (release / "var/app.db").read_text() == "first content"
            (theirs / "app.db").unlink()

    assert secret.read_text() == "secret"
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (0, 0o600)
    assert os.listdir(state) == ["shared"]  # no copy of it is left anywhere


def test_a_seed_on_another_disk_is_led_nowhere_either(
    project: Project, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, state = project.folder / "release", project.folder / "state"
    disk_of_theirs = Path(f"/dev/shm/{project.folder.name}")
    disk_of_theirs.mkdir()
    give(disk_of_theirs)
    (state / "shared").parent.mkdir()
    (state / "shared").symlink_to(disk_of_theirs)
    if os.stat(state).st_dev == os.stat(disk_of_theirs).st_dev:
        pytest.skip("/dev/shm is no other file system here")
    try:
        with attacking(PLANT, disk_of_theirs / ".media.seed", secret.parent):
            for _ in range(1000):
                project.write("release/media/one.png", "png")
                try:
                    shared.link(str(release), str(state / "shared"), ["media"], lambda _: None)
                except FileExistsError:  # he was in time, and the deploy fails by it
                    continue
                trees.remove(f"{disk_of_theirs}/media")
                (release / "media").unlink()
    finally:
        shutil.rmtree(disk_of_theirs)

    assert os.listdir(secret.parent) == ["secret"]
    assert secret.read_text() == "secret"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_source_that_changes_while_root_copies_it_gives_no_file_of_roots_away(
    project: Project, secret: Path, kind: str
) -> None:
    source = project.folder / "source"
    project.write("source/own" if kind == "file" else "source/own/secret", "own")
    give(source, *source.rglob("*"))
    copied = set()

    with attacking(SWAP, source / "own", secret if kind == "file" else secret.parent):
        for number in range(3000):
            target = project.folder / f"copies/{number}"
            target.parent.mkdir(exist_ok=True)
            try:
                disk.copy(str(source), str(target))
            except OSError:  # caught in the middle of a swap
                pass
            copied |= {path.read_text() for path in target.rglob("*") if path.is_file() and not path.is_symlink()}
            shutil.rmtree(target, ignore_errors=True)

    assert copied <= {"own"}


def test_an_apps_static_files_are_united_without_files_of_others(project: Project, secret: Path) -> None:
    """The build made a folder of the release the app's own."""
    secret.chmod(0o644)  # in a folder that only root may enter
    secret.parent.chmod(0o700)
    release, union = project.folder / "release", project.folder / "union"
    project.write("release/public/own", "own")
    give(release / "public", release / "public/own")
    united = set()

    with attacking(SWAP, release / "public/own", secret):
        for _ in range(300):
            try:
                assets.unite(str(union), [str(release)], ["public"])
            except OSError:
                pass
            united |= {path.read_text() for path in union.rglob("*") if path.is_file()}
            shutil.rmtree(union, ignore_errors=True)

    assert united <= {"own"}


def test_removing_what_somebody_swaps_and_adds_to_ends_and_spares_what_is_not_his(
    project: Project, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "_PATIENCE", 0.3)
    for number in range(10):
        tree = project.folder / f"trees/{number}"
        project.write(f"trees/{number}/own/file", "own")
        give(tree, *tree.rglob("*"))
        with attacking(SWAP, tree / "own", secret.parent), attacking(ADD, tree):
            try:
                trees.remove(str(tree))
            except OSError:  # he added faster than it was removed
                assert tree.exists()
        trees.remove(str(tree))
        assert not tree.exists()

    assert secret.read_text() == "secret"


def test_nested_folders_are_removed_however_deep(project: Project) -> None:
    tree = project.folder / "tree"
    tree.mkdir()
    give(tree)
    with attacking(NEST, tree, "5000"):
        pass

    trees.remove(str(tree))

    assert not tree.exists()


def test_no_command_fails_by_what_an_app_leaves_in_its_folder(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    nest(project, "web-1")

    project.zddeploy("restart")

    assert "web 1" in project.get("/")
    eventually(lambda: not (project.runtime / "instances/web-1").exists())
    nest(project, "web-2")

    project.zddeploy("down")

    assert not project.runtime.exists()


@pytest.mark.parametrize("mode", [0o600, 0o644], ids=["ours", "of-an-older-version"])
def test_nobody_else_can_keep_a_project_from_being_deployed(project: Project, mode: int) -> None:
    configure(project, WEB)
    project.zddeploy()
    lock = project.runtime / "lock"
    lock.chmod(mode)
    inode = lock.stat().st_ino
    project.zddeploy("restart")

    with attacking(LOCK, *(path for path in project.runtime.rglob("*") if path.is_file()), project.state):
        project.zddeploy("restart")

    assert (lock.stat().st_ino, lock.stat().st_mode & 0o777) == (inode, 0o600)


def test_others_may_read_nothing_of_a_project_but_its_code_and_pages(project: Project) -> None:
    source = code.configure(project, env={"TOKEN": "x"})
    project.zddeploy()
    source.commit(2)
    project.zddeploy()
    project.zddeploy("maintenance", "on")
    of_all = [project.runtime, *project.runtime.rglob("*"), project.state, *project.state.rglob("*")]

    readable = attack(READ, *of_all).splitlines()

    named = {str(Path(path).relative_to(project.folder)) for path in readable}
    nginxs = {"R/maintenance", "R/nginx.pid", "S/nginx", "S/nginx/nginx.conf"}
    code_s = {"S", "S/current", "S/shared"} | {name for name in named if name.startswith("S/rel")}
    whose = {"R/owner", "S/owner", "S/runtime"}  # whose project it is
    assert named <= nginxs | code_s | whose
    assert "R/maintenance" in named


def nest(project: Project, instance: str) -> None:
    """As its app: thousands of folders, one in the other, wherever it may make one; before its keeper looks."""
    folders = [path for path in (project.runtime / "instances" / instance).rglob("*") if path.is_dir()]
    own = [folder for folder in folders if folder.stat().st_uid == MALLORY.pw_uid]
    assert own, "the app owns no folder of its instance"
    for number, folder in enumerate(own):
        aside = project.folder / f"aside-{instance}-{number}"
        aside.mkdir()
        give(aside)
        with attacking(NEST, aside, "3000"):
            (aside / "d").rename(folder / "d")
