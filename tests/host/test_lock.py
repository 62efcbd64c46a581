from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zdd.host import lock
from zdd.host.lock import Busy, Lock


def test_the_second_one_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first, second = Lock(path), Lock(path)
    first.acquire(lambda: {"who": "anna", "pid": 7}, 0)

    with pytest.raises(Busy) as caught:
        second.acquire(lambda: {"who": "ben"}, 0)

    assert caught.value.holder == {"who": "anna", "pid": 7}
    assert lock.is_held(path)
    first.release()
    assert not lock.is_held(path)
    second.acquire(lambda: {"who": "ben"}, 0)
    assert json.loads(Path(path).read_text()) == {"who": "ben"}
    second.release()


def test_no_child_inherits_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    held = Lock(path)
    held.acquire(dict, 0)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        held.release()

        assert not lock.is_held(path)
        child.kill()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    code = f"from zdd.host.lock import Lock; Lock({path!r}).acquire(lambda: {{}}, 0); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        assert lock.is_held(path)
        child.kill()
        child.wait()

    Lock(path).acquire(dict, 0)


def test_a_lock_on_a_removed_file_is_none(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    gone = Lock(path)
    gone.acquire(dict, 0)
    os.unlink(path)

    other = Lock(path)
    other.acquire(dict, 0)  # a new file: the removed one guards nothing

    assert lock.is_held(path)
    other.release()
    gone.release()
