"""Files where another user than root can write, and where nobody can."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from zdd.host import guarded
from zdd.host.guarded import Found, Untrusted

NOBODY, GAMES = 65534, 5

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the rules hold for root")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that root alone can write, below /tmp, where everybody can make names but not take others'."""
    tmp_path.chmod(0o755)
    return tmp_path


def shared(folder: Path, owner: int = NOBODY, mode: int = 0o755) -> Path:
    """A folder in it that another user can write."""
    made = folder / "theirs"
    made.mkdir()
    made.chmod(mode)
    os.chown(made, owner, -1)
    return made


def number(folder: Path, text: str = "17\n", owner: int = NOBODY, mode: int = 0o644, name: str = "pid") -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    os.chown(path, owner, -1)
    return str(path)


def look(path: str) -> Found:
    found = guarded.look(path)
    assert found
    return found


def test_where_root_alone_can_write_all_is_as_ever(folder: Path) -> None:
    (folder / "other").write_text(f"{'x' * 100}")
    (folder / "link").symlink_to("other")
    (folder / "spaces").write_text(f"{' ' * 100}17")

    assert guarded.look(str(folder / "link")) == Found("x" * 100, shared=False, owner=None)
    assert look(str(folder / "spaces")).number == 17
    assert guarded.look(str(folder / "none")) is None
    guarded.write(str(folder / "spaces"), "18")
    assert (folder / "spaces").read_text() == "18"
    guarded.remove(str(folder / "link"))
    guarded.remove(str(folder / "link"))
    assert (folder / "other").exists()


@pytest.mark.parametrize(
    ("owner", "mode"), [(NOBODY, 0o755), (0, 0o777), (0, 0o775), (0, 0o1777)], ids=["owner", "all", "group", "sticky"]
)
def test_a_folder_is_shared_when_another_user_can_make_names_in_it(folder: Path, owner: int, mode: int) -> None:
    theirs = shared(folder, owner, mode)

    (theirs / "link").symlink_to("pid")

    assert look(number(theirs, owner=0)).shared
    with pytest.raises(Untrusted):
        guarded.look(str(theirs / "link"))


def test_what_lies_below_a_shared_folder_is_shared(folder: Path) -> None:
    below = shared(folder) / "roots" / "own"
    below.mkdir(parents=True)

    assert look(number(below, owner=0)).shared


def test_a_file_that_another_user_can_write_is_shared_wherever_it_lies(folder: Path) -> None:
    assert look(number(folder)).shared
    assert look(number(folder, owner=0, mode=0o666)).shared
    assert not look(number(folder, owner=0)).shared


def test_roots_own_link_is_followed_to_where_others_write(folder: Path) -> None:
    number(shared(folder))
    (folder / "run").symlink_to(folder / "theirs")
    (folder / "pid").symlink_to("run/pid")

    assert guarded.look(str(folder / "pid")) == Found("17\n", shared=True, owner=NOBODY)


PLANTS: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to("pid"),
    "dangling link": lambda path: path.symlink_to("none"),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "FIFO": os.mkfifo,
    "socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    "folder": lambda path: path.mkdir(),
    "33 bytes": lambda path: path.write_text("1" * 33),
    "link on the way": lambda path: path.symlink_to("."),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("plant", PLANTS)
def test_nothing_but_a_small_file_is_read(folder: Path, plant: str) -> None:
    theirs = shared(folder)
    number(theirs)
    PLANTS[plant](theirs / "planted")

    with pytest.raises(Untrusted, match="another user can change what is there"):
        guarded.look(str(theirs / "planted" / ("pid" if plant == "link on the way" else "")))


@pytest.mark.parametrize("text", ["", "x", "1_0", "+5", "-5", "0", "٣", "1 2"])
def test_only_plain_digits_are_a_number_from_somebody_else(folder: Path, text: str) -> None:
    assert look(number(shared(folder), text)).number is None


@pytest.mark.parametrize(
    ("owner", "mode", "folder_mode", "links", "author"),
    [
        (NOBODY, 0o644, 0o755, 1, NOBODY),
        (NOBODY, 0o664, 0o775, 1, NOBODY),
        (0, 0o644, 0o755, 1, 0),
        (NOBODY, 0o666, 0o755, 1, None),
        (0, 0o664, 0o755, 1, None),
        (NOBODY, 0o644, 0o755, 2, None),
        (GAMES, 0o644, 0o1777, 1, None),
        (NOBODY, 0o644, 0o1777, 1, NOBODY),
    ],
)
def test_who_wrote_a_file_is_told_where_that_is_sure(
    folder: Path, owner: int, mode: int, folder_mode: int, links: int, author: int | None
) -> None:
    theirs = shared(folder, NOBODY, folder_mode)
    path = number(theirs, owner=owner, mode=mode)
    if links == 2:
        os.link(path, theirs / "second")

    assert look(path).owner == author


def test_a_file_is_replaced_and_removed_where_it_is_and_not_where_links_lead(folder: Path) -> None:
    theirs, vault = shared(folder), folder / "vault"
    vault.mkdir()
    (vault / "file").write_text("precious")
    (theirs / "link").symlink_to(vault / "file")
    (theirs / "way").symlink_to(vault)

    guarded.write(str(theirs / "link"), "17")
    for act in (lambda path: guarded.write(path, "17"), guarded.remove):
        with pytest.raises(Untrusted, match="way is a link on the way"):
            act(str(theirs / "way/file"))

    assert (theirs / "link").read_text() == "17"
    assert not (theirs / "link").is_symlink()
    assert [path.read_text() for path in vault.iterdir()] == ["precious"]
    assert sorted(path.name for path in theirs.iterdir()) == ["link", "way"]


def test_a_folder_in_the_place_of_a_file_is_told_and_stays(folder: Path) -> None:
    theirs = shared(folder)
    (theirs / "pid" / "full").mkdir(parents=True)

    with pytest.raises(Untrusted, match="cannot be replaced: Is a directory"):
        guarded.write(str(theirs / "pid"), "17")
    with pytest.raises(Untrusted, match="cannot be removed: Is a directory"):
        guarded.remove(str(theirs / "pid"))

    assert [path.name for path in theirs.iterdir()] == ["pid"]
