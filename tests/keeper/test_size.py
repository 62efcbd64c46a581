"""What a keeper costs, and that it needs nothing more once it runs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import zdd
from zdd.errors import UsageError
from zdd.host import files

from .conftest import New
from .instance import PATIENCE, answer

MEGABYTE = 1 << 20
FREE_OF = "dataclasses pathlib typing subprocess asyncio logging ctypes threading traceback enum re json signal socket"

MODULES = 96  # of the interpreter, of the standard library and of zdd


def own_memory(pid: int) -> int:
    """Return what the process has for itself. Of the interpreter's files, all have a share, now larger, now smaller."""
    text = files.read(f"/proc/{pid}/status") or ""
    return int(text.split("RssAnon:")[1].split()[0]) * 1024


def test_a_keeper_has_less_than_5_megabytes_of_its_own(new: New) -> None:
    new().start().ask("stop")  # has the byte code compiled
    web = new().start()
    web.kill()
    web.await_event("state", count=2, state="serving")
    web.ask("status")

    assert own_memory(web.keeper().pid) < 5 * MEGABYTE


def test_it_imports_light_modules_only(new: New) -> None:
    web = new()
    wrapper = f"{web.house.path}/main.py"
    source = str(Path(zdd.__file__).parent.parent)
    files.write(
        wrapper,
        f"import sys\nsys.path.append({source!r})\nfrom zdd.keeper import run\n"
        f"found = [name for name in {FREE_OF.split()} if name in sys.modules]\n"
        "assert not found, found\n"
        f"assert len(sys.modules) <= {MODULES}, sorted(sys.modules)\n"
        "run.main(sys.argv[1])\n",
    )

    assert web.launch(wrapper).ask("status")["ok"]


def test_nothing_is_imported_once_it_runs_and_its_files_may_go(new: New) -> None:
    web = new(stop_timeout=0.3, env={"PRELUDE": "import signal; signal.signal(15, signal.SIG_IGN)"})
    web.record["argv"] = [os.path.basename(sys.executable), *web.record["argv"][1:]]
    web.record["env"]["PATH"] = f"/no/such:{os.path.dirname(sys.executable)}"
    copy = f"{web.house.path}/copy"
    shutil.copytree(Path(zdd.__file__).parent, f"{copy}/zdd", ignore=shutil.ignore_patterns("__pycache__"))
    wrapper = f"{copy}/main.py"
    files.write(
        wrapper,
        f"import _ctypes, shutil, sys\nsys.path.append({copy!r})\nfrom zdd.keeper import run\n"
        f"shutil.rmtree({copy!r})\n"
        "sys.meta_path.clear()\n"  # now any import fails
        "run.main(sys.argv[1])\n",
    )

    web.launch(wrapper)
    web.await_output("up")
    web.ask("healthy")
    web.request("/shutdown")
    web.await_event("state", state="starting")
    waiting = web.send("/waiting")
    web.kill()
    assert answer(waiting)
    web.await_event("state", count=2, state="serving")
    with web.send("/wait/never"):
        web.await_output("got /wait/never")
        web.ask("retire", warm=0, drain=0.1, workers=[[os.getpid(), 1]])
        with pytest.raises(UsageError):
            web.ask("nonsense")
        web.ask("status")
        web.await_end()

    assert web.await_event("gone")["cut"] == 1
    assert "internal error" not in web.output()


@pytest.mark.parametrize("kind", ["unix", "tcp", "none"])
def test_the_other_kinds_import_nothing_either(new: New, kind: str) -> None:
    web = new(socket=kind)
    if kind == "none":
        web.record["argv"] = ["sh", "-c", "echo up; exec sleep 600"]
    wrapper = f"{web.house.path}/main.py"
    source = str(Path(zdd.__file__).parent.parent)
    files.write(
        wrapper,
        f"import _ctypes, sys\nsys.path.append({source!r})\nfrom zdd.keeper import run\n"
        "sys.meta_path.clear()\nrun.main(sys.argv[1])\n",
    )

    web.launch(wrapper)
    web.await_output("up")
    web.ask("healthy")
    web.kill()
    web.await_event("state", count=2, state="serving")
    web.ask("retire", warm=0, drain=PATIENCE, workers=[])

    assert web.await_end() == 0
    assert "internal error" not in web.output()


def test_an_idle_keeper_hardly_uses_the_processor(new: New) -> None:
    web = new().start()
    pid = web.keeper().pid

    def used() -> int:
        text = files.read(f"/proc/{pid}/stat") or ""
        return sum(int(field) for field in text.rpartition(")")[2].split()[11:13])  # ticks of 10 ms

    before = used()
    web.leased.events() if web.leased else None
    os.waitid(os.P_PID, os.posix_spawnp("sleep", ["sleep", "2"], os.environ), os.WEXITED)

    assert used() - before <= 3
