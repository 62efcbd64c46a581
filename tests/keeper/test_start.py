"""What the app finds when it starts, and what is said when it cannot."""

from __future__ import annotations

import errno
import os
import re
import signal

import pytest

from tests.waiting import eventually
from zdd.host import files, process

from .conftest import New
from .instance import MAIN

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
SLEEP = "import time; time.sleep(600)"


def test_the_app_gets_the_listening_socket_as_descriptor_3(new: New) -> None:
    web = new().start()

    found = web.look()

    assert found["environ"]["LISTEN_FDS"] == "1"
    assert found["environ"]["LISTEN_PID"] == str(found["pid"])
    assert found["pid"] == web.pid()


def test_the_app_inherits_nothing_but_its_socket_and_its_log(new: New) -> None:
    web = new().start()

    found = web.look()["fds"]

    assert set(found) == {"0", "1", "2", "3"}
    assert (found["0"], found["1"], found["2"]) == ("/dev/null", web.log, web.log)


def test_a_worker_inherits_three_descriptors(new: New) -> None:
    worker = new(socket="none", env={"PRELUDE": f"print('fds', sorted(KNOWN), flush=True); {SLEEP}"}).launch()

    worker.await_output("fds")

    assert "fds ['0', '1', '2']" in worker.lines()


def test_a_restarted_app_inherits_nothing_more(new: New) -> None:
    web = new().start()
    web.kill()
    web.await_output("up", 2)

    assert set(web.look()["fds"]) == {"0", "1", "2", "3"}


def test_nothing_of_how_the_keeper_was_started_reaches_the_app(new: New) -> None:
    web = new()
    careless = f"{web.house.path}/careless.py"
    files.write(
        careless,
        "import os, signal, sys\n"
        "os.dup2(2, 50)\n"
        "os.umask(0o777)\n"
        "for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR2})\n"
        "os.nice(5)\n"
        f"os.execv(sys.executable, [sys.executable, '-I', '-S', {str(MAIN)!r}, sys.argv[1]])\n",
    )
    web.launch(careless)
    web.await_output("up")
    web.ask("healthy")

    found = web.look()

    assert set(found["fds"]) == {"0", "1", "2", "3"}
    assert found["umask"] == 0o022
    assert signals(found["status"], "SigBlk") == set()
    assert signals(found["status"], "SigIgn") == {signal.SIGPIPE, signal.SIGXFSZ}  # Python's own doing, in the app
    assert found["session"] == found["pid"]
    if os.geteuid() == 0:  # nobody else may become less nice
        assert found["nice"] == 0
    web.kill()
    web.await_event("state", count=2, state="serving")  # the keeper itself hears of its children
    web.keeper().signal(signal.SIGTERM)
    assert web.await_end() == 0


def test_sigpipe_is_not_ignored(new: New) -> None:
    shell = new(socket="none", argv=["sh", "-c", "grep SigIgn /proc/self/status; exec sleep 600"]).launch()

    shell.await_output("SigIgn")

    assert signals(shell.output(), "SigIgn") == set()


def signals(status: str, what: str) -> set[int]:
    bits = int(status.split(f"{what}:\t")[1].split()[0], 16)
    return {number for number in range(1, 65) if bits >> (number - 1) & 1}


def test_the_environment_is_the_record_s_and_nothing_else(new: New) -> None:
    web = new(argv=["env"], env={"GREETING": "hällo"}).launch()

    web.await_event("exit", status=0)

    own = {line for line in web.lines() if not line.startswith(("zdd:", "LISTEN_PID=", "ZDD_SOCKET_"))}
    told = {"LISTEN_FDS=1", f"LISTEN_FDNAMES={web.record['service']}"}
    assert own == {f"{name}={value}" for name, value in web.record["env"].items()} | told


def test_a_tcp_app_is_told_its_port_in_the_environment_and_in_place_of_the_word(new: New) -> None:
    web = new(socket="tcp", env={"URL": "http://localhost:{port}/"})
    web.record["argv"].append("--port={port}")
    web.start()
    port = web.ask("status")["port"]

    found = web.look()

    assert found["argv"] == [f"--port={port}"]
    assert found["environ"]["PORT"] == str(port)
    assert found["environ"]["URL"] == f"http://localhost:{port}/"
    assert "LISTEN_FDS" not in found["environ"]


def test_a_restarted_tcp_app_has_the_same_port(new: New) -> None:
    web = new(socket="tcp").start()
    before = web.look()["environ"]["PORT"]

    web.kill()
    web.await_event("state", count=2, state="serving")

    assert web.look()["environ"]["PORT"] == before


@needs_root
def test_the_app_runs_as_the_user_it_was_given(new: New) -> None:
    record = {"uid": 65534, "gid": 65533, "groups": [65533, 12345], "cwd": "/"}
    web = new(socket="none", argv=["sh", "-c", "id -u; id -G; exec sleep 600"], **record).launch()

    web.await_output("65533")

    assert web.lines() == ["65534", "65533 12345"]


@needs_root
def test_a_folder_that_the_user_may_not_enter_is_named(new: New) -> None:
    web = new(uid=65534, gid=65534, groups=[], cwd="/root")
    os.chmod(web.house.path, 0o700)
    web.record["cwd"] = web.house.path
    web.launch()

    assert web.await_event("exit")["words"] == f"cannot enter {web.house.path!r}: Permission denied"


CANNOT_LISTEN = "cannot listen in /no/such: No such file or directory"


@pytest.mark.parametrize(
    ("record", "words", "stage", "error"),
    [
        (
            {"argv": ["no-such-program", "-x"], "env": {"PATH": "/bin"}},
            "cannot run 'no-such-program': No such file or directory",
            "run",
            errno.ENOENT,
        ),
        ({"argv": ["/etc/passwd"]}, "cannot run '/etc/passwd': Permission denied", "run", errno.EACCES),
        ({"cwd": "/no/such"}, "cannot enter '/no/such': No such file or directory", "folder", errno.ENOENT),
        ({"folder": "/no/such", "app_folder": "/no/such/app"}, CANNOT_LISTEN, "listen", errno.ENOENT),
        (
            {"argv": ["\udcff" + "x" * 9000]},
            "cannot run '\\udcff" + "x" * 9000,
            "run",
            errno.ENAMETOOLONG,
        ),
    ],
)
def test_an_app_that_cannot_be_started_says_why(
    new: New, record: dict[str, object], words: str, stage: str, error: int
) -> None:
    web = new(**record).launch()

    words = words[:2000]
    assert web.await_event("exit").items() >= {"words": words, "status": 127, "stage": stage, "errno": error}.items()
    assert web.ask("status")["exit"] == words
    assert web.state() == "failed"


def test_a_script_without_its_interpreter_says_so(new: New) -> None:
    web = new()
    script = f"{web.house.path}/bin"
    files.write(script, "#!/gone/venv/bin/python\n", mode=0o755)
    web.record["argv"] = [script]
    web.launch()

    event = web.await_event("exit")

    named = "its first line names /gone/venv/bin/python, which does not exist"
    assert event["words"] == f"cannot run {script!r}: {named}"
    assert (event["stage"], event["errno"]) == ("interpreter", errno.ENOENT)


def test_a_script_with_the_line_ends_of_windows_says_so(new: New) -> None:
    """The kernel looks for an interpreter whose name ends with a carriage return."""
    web = new()
    script = f"{web.house.path}/bin"
    files.write(script, "#!/bin/sh\r\nexec app\r\n", mode=0o755)
    web.record["argv"] = [script]
    web.launch()

    words = web.await_event("exit")["words"]

    assert words.startswith(f"cannot run {script!r}: its first line ends as on Windows: save it with Unix line ends")


def test_a_link_that_leads_nowhere_says_where_it_leads(new: New) -> None:
    web = new()
    os.symlink("/usr/bin/python2.5", f"{web.house.path}/python")
    web.record["argv"] = [f"{web.house.path}/python", "app.py"]
    web.launch()

    words = web.await_event("exit")["words"]

    assert words.endswith("/python': it leads to /usr/bin/python2.5, which does not exist")


def test_a_program_of_path_without_its_interpreter_says_so(new: New) -> None:
    web = new()
    files.write(f"{web.house.path}/serve", "#!/gone/python\n", mode=0o755)
    web.record["argv"] = ["serve"]
    web.record["env"] |= {"PATH": f"/nowhere:{web.house.path}"}
    web.launch()

    assert "names /gone/python, which does not exist" in web.await_event("exit")["words"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_a_user_one_may_not_become_is_named(new: New) -> None:
    web = new(uid=0, gid=0, groups=[0]).launch()

    assert web.await_event("exit")["words"] == "cannot become user 0, group 0: Operation not permitted"


def test_an_app_that_ends_by_itself_says_with_what(new: New) -> None:
    web = new(env={"PRELUDE": "print('no database', flush=True); sys.exit(3)"}).launch()

    assert web.await_event("exit") == {"event": "exit", "words": "exit status 3", "status": 3}
    assert "no database" in web.lines()
    (told,) = [line for line in web.lines() if line.startswith("zdd: ")]
    assert re.fullmatch(r"zdd: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} web-1: the app ended: exit status 3", told)


def test_output_goes_on_when_the_keeper_is_killed(new: New) -> None:
    web = new().start()
    app = web.process()

    web.keeper().signal(signal.SIGKILL)
    web.await_end()
    web.request("/after")

    assert app.alive()
    assert "got /after" in web.lines()


def test_a_log_that_is_truncated_is_written_from_its_start(new: New) -> None:
    web = new().start()

    os.truncate(web.log, 0)
    web.request("/after")

    assert web.output() == "got /after\n"


def test_an_app_that_boots_gives_way_to_others_until_it_is_healthy(new: New) -> None:
    web = new().launch()
    path = f"/proc/{web.pid()}/autogroup"
    if not os.path.exists(path):
        pytest.skip("this kernel has no autogroup")
    web.await_output("up")
    assert (files.read(path) or "").endswith("nice 10\n")

    web.ask("healthy")

    eventually(lambda: (files.read(path) or "").endswith("nice 0\n"))


def test_the_keeper_is_where_orphans_go(new: New) -> None:
    prelude = "if os.fork() == 0:\n    if os.fork() == 0:\n        os.setsid(); time.sleep(600)\n    os._exit(0)\n"
    web = new(env={"PRELUDE": prelude}).start()

    eventually(lambda: sum(parent == web.keeper().pid for parent in process.parents().values()) == 2)


@pytest.mark.parametrize(
    "prelude",
    [
        "if os.fork() == 0:\n    leave()\n",
        "if os.fork() == 0:\n    if os.fork() == 0:\n        leave()\n    os._exit(0)\n",
    ],
    ids=["its child", "an orphan of it"],
)
def test_an_app_of_which_a_process_left_its_session_is_healthy_only_for_sure(new: New, prelude: str) -> None:
    """What goes into the background may answer before the app has ended."""
    leave = "def leave():\n    os.setsid(); os.write(left, b'.'); time.sleep(600)\nwait, left = os.pipe()\n"
    web = new(env={"PRELUDE": f"{leave}{prelude}os.read(wait, 1)\n"}).launch()
    web.await_output("up")

    assert web.ask("healthy")["background"]
    assert web.ask("status")["state"] == "starting"
    assert web.ask("healthy", sure=True)["ok"]


def test_workers_of_a_server_have_not_left_its_session(new: New) -> None:
    web = new(env={"PRELUDE": "if os.fork() == 0:\n    time.sleep(600)\n"}).launch()
    web.await_output("up")

    assert web.ask("healthy")["ok"]
