from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from tests.machine import free_port, patiently
from tests.waiting import eventually
from zdd.errors import UsageError
from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.process import Process
from zdd.nginx.conf_file import ConfFile
from zdd.nginx.process import complaints, running
from zdd.nginx.process.complaints import ProxyError
from zdd.nginx.process.nginx import NginxProcess

from ..app import PATIENCE, Answer, Request, ask, say
from ..house import House, pids


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this very process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_first_text_starts_nginx(house: House) -> None:
    assert house.nginx.apply(house.simple("one")) == "started"

    assert ask(house.port).body == b"one"
    assert len(house.workers()) == 2
    assert house.files() == {"nginx.conf", "nginx.pid", "error.log", "temp"}


def test_nginx_does_not_keep_the_environment_it_was_started_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_ID", "ci-job")
    house.nginx.apply(house.simple("one"))

    master = house.nginx.master()

    assert master
    assert process.environment(master.pid).get("BUILD_ID") is None


def test_the_same_text_does_not_reload(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    workers = house.workers()

    assert house.nginx.apply(house.simple("one")) == "unchanged"
    assert house.nginx.workers() == workers


def test_another_text_reloads_and_the_new_workers_serve(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    workers = house.workers()
    os.chmod(house.conf_file, 0o600)

    assert house.nginx.apply(house.simple("two")) == "reloaded"

    assert not pids(house.nginx.workers()) & pids(workers)
    assert ask(house.port).body == b"two"
    assert house.files() == {"nginx.conf", "nginx.pid", "error.log", "temp"}
    assert os.stat(house.conf_file).st_mode & 0o777 == 0o600


def test_workers_with_an_open_request_linger_until_it_is_answered(house: House) -> None:
    asked, may_answer, answers = Event(), Event(), list[Answer]()

    def slow(connection: socket.socket, request: Request) -> bool:
        asked.set()
        return may_answer.wait(PATIENCE) and say("slow")(connection, request)

    house.serve(house.app("a", behaviour=slow))
    client = Thread(target=lambda: answers.append(ask(house.port)))
    client.start()
    assert asked.wait(PATIENCE)
    old_workers = house.nginx.workers()  # nginx counts as started when its first one is there

    house.nginx.apply(house.simple("two"))
    eventually(lambda: len(living(old_workers)) == 1)
    (worker,) = living(old_workers)
    title = process.title(worker.pid)
    everyone = house.nginx.workers(shutting_down=True)
    may_answer.set()
    client.join()

    assert title == "nginx: worker process is shutting down"
    assert worker in everyone
    assert worker not in house.nginx.workers()
    assert answers[0].body == b"slow"
    eventually(lambda: not living(old_workers))


def living(workers: list[Process]) -> list[Process]:
    return [worker for worker in workers if worker.alive()]


def test_a_text_with_an_error_changes_nothing_and_shows_nginx_words(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    workers, files = house.workers(), house.files()

    with pytest.raises(ProxyError) as caught:
        house.nginx.apply(house.simple("two", "bogus on;"))

    assert caught.value.message == (
        f'nginx refuses the new {house.conf_file}: unknown directive "bogus" in {house.conf_file}:12'
    )
    assert house.nginx.text() == house.simple("one")
    assert house.nginx.workers() == workers
    assert house.files() == files


def test_a_test_leaves_no_file_behind(house: House) -> None:
    house.nginx.test(house.simple("one"))

    assert house.files() <= {"error.log", "temp"}


def test_a_test_leaves_an_empty_pid_file_alone_that_was_there(house: House) -> None:
    open(house.pid_file, "w").close()

    house.nginx.test(house.simple("one"))

    assert os.path.getsize(house.pid_file) == 0


def test_relative_includes_resolve_beside_the_text(house: House) -> None:
    with open(f"{house.folder}/more.inc", "w") as included:
        included.write("server_tokens off;")

    house.nginx.apply(house.simple("one", "include more.inc;"))

    assert ask(house.port).headers["server"] == "nginx"


def test_a_text_that_is_kept_elsewhere_stays_there(house: House) -> None:
    os.mkdir(f"{house.folder}/kept")
    os.symlink("kept/real.conf", house.conf_file)

    house.nginx.apply(house.simple("one"))
    house.nginx.apply(house.simple("two"))

    assert os.path.islink(house.conf_file)
    assert ask(house.port).body == b"two"


def test_a_port_that_is_taken_at_the_start_is_told_with_who_has_it(house: House, taken: int) -> None:
    house.port = taken

    with pytest.raises(ProxyError) as caught:
        house.nginx.apply(house.simple("one"))

    assert f"bind() to 127.0.0.1:{taken} failed (98: Address " in caught.value.message
    assert f"taken by process {os.getpid()}: " in str(caught.value.hint)
    assert house.nginx.master() is None
    assert house.files() == {"error.log", "temp"}


def test_a_port_that_is_taken_at_a_reload_is_told_and_the_old_workers_serve(house: House, taken: int) -> None:
    house.nginx.apply(house.simple("one"))
    workers = house.workers()

    with pytest.raises(ProxyError) as caught:
        house.nginx.apply(house.simple("two", f"listen 127.0.0.1:{taken};"))

    assert f"bind() to 127.0.0.1:{taken} failed (98: Address " in caught.value.message
    assert f"taken by process {os.getpid()}: " in str(caught.value.hint)
    assert house.nginx.workers() == workers
    assert house.nginx.runs(house.simple("one"))
    assert ask(house.port).body == b"one"


def test_a_reload_that_nginx_does_not_get_to_is_undone_and_made_up_for(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    workers, master = house.workers(), house.nginx.master()
    assert master
    master.signal(signal.SIGSTOP)

    with pytest.raises(ProxyError, match=r"no new worker came within [0-9.]+ s"):
        house.one(patience=0.3).apply(house.simple("two"))

    assert ask(house.port).body == b"one"
    assert house.nginx.text() == house.simple("one")
    assert not house.nginx.runs(house.simple("one"))  # nobody knows what it reads once it wakes up
    master.signal(signal.SIGCONT)
    assert house.nginx.apply(house.simple("one")) == "reloaded"
    assert not pids(house.nginx.workers()) & pids(workers)
    assert ask(house.port).body == b"one"


def test_what_a_killed_command_left_undone_the_next_one_does(house: House) -> None:
    class Killed(Clock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    house.nginx.apply(house.simple("one"))
    place = ConfFile(house.conf_file)
    place.doubt()
    place.put(house.simple("two"))  # and here it was killed: nginx has not been told
    assert ask(house.port).body == b"one"

    assert house.nginx.apply(house.simple("two")) == "reloaded"
    assert ask(house.port).body == b"two"

    with pytest.raises(KeyboardInterrupt):
        house.one(clock=Killed()).apply(house.simple("three"))
    house.nginx.restore(house.simple("two"), stop=False)
    assert ask(house.port).body == b"two"


def test_a_restore_brings_back_the_text_of_before_and_may_be_done_twice(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    house.nginx.apply(house.simple("two"))

    house.nginx.restore(house.simple("one"), stop=False)
    workers = house.workers()
    house.nginx.restore(house.simple("one"), stop=False)

    assert house.nginx.workers() == workers
    assert ask(house.port).body == b"one"


def test_a_restore_to_nothing_stops_nginx_and_removes_the_text(house: House) -> None:
    house.nginx.apply(house.simple("one"))

    for _ in range(2):
        house.nginx.restore(None, stop=True)

    assert house.processes() == []
    assert house.files() <= {"error.log", "temp"}


def test_a_restore_may_stop_nginx_and_keep_the_text(house: House) -> None:
    house.nginx.apply(house.simple("one"))

    house.nginx.restore(house.simple("zero"), stop=True)

    assert house.processes() == []
    assert house.nginx.text() == house.simple("zero")


def test_a_stop_lets_requests_end_but_not_for_ever(house: House) -> None:
    never = Event()
    app = house.app("a", behaviour=lambda *_: never.wait(PATIENCE))
    house.serve(app)
    with socket.create_connection(("127.0.0.1", house.port), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: app.requests)
        master = house.nginx.master()

        house.nginx.stop(0.2)

        assert master
        assert not master.alive()
        assert house.processes() == []
    never.set()
    house.nginx.stop(0.2)  # what does not run is stopped


def test_a_wrong_pid_directive_is_named_and_what_was_started_is_ended(house: House) -> None:
    text = house.simple("one").replace(house.pid_file, f"{house.folder}/other.pid")

    def attempt(patience: float) -> None:
        with pytest.raises(ProxyError) as caught:
            house.one(patience).apply(text)

        assert f"did not write {house.pid_file}" in caught.value.message
        assert caught.value.hint == f"its configuration must say `pid {house.pid_file};`"
        assert house.processes() == []

    patiently(attempt, 0.5, 20)


def test_an_nginx_that_stays_in_the_foreground_is_let_go(house: House) -> None:
    assert house.nginx.apply(house.simple("one", top="daemon off;")) == "started"

    assert ask(house.port).body == b"one"


def test_an_nginx_that_logs_to_its_standard_error_goes_on_doing_so(house: House, taken: int) -> None:
    text = house.simple("one").replace(house.error_log, "stderr")
    house.nginx.apply(text)

    with pytest.raises(ProxyError, match="Address "):
        house.nginx.apply(text.replace(str(house.port), str(taken)))

    assert os.path.getsize(f"{house.conf_file}.output") > 0


def test_somebody_elses_nginx_is_refused_before_anything_is_touched(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.nginx.apply(house.simple("one"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)

        with pytest.raises(UsageError, match="you may not reload"):
            house.nginx.apply(house.simple("two"))

    assert house.nginx.runs(house.simple("one"))


def test_a_folder_that_is_missing_is_named(house: House) -> None:
    nginx = NginxProcess(house.binary, "/nonexistent/nginx.conf", house.pid_file, house.folder, house.commands, Clock())

    with pytest.raises(UsageError, match=r"cannot test /nonexistent/nginx\.conf: No such file"):
        nginx.apply(house.simple("one"))


@pytest.mark.parametrize("content", ["", "nonsense", "999999999", "-1"])
def test_a_pid_file_that_names_nobody_means_it_does_not_run(house: House, content: str) -> None:
    with open(house.pid_file, "w") as file:
        file.write(content)

    assert house.nginx.master() is None
    assert house.nginx.apply(house.simple("one")) == "started"
    assert ask(house.port).body == b"one"


def test_a_process_that_is_no_nginx_is_never_signalled(house: House) -> None:
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        with open(house.pid_file, "w") as file:
            file.write(str(stranger.pid))

        assert house.nginx.master() is None
        house.nginx.stop()
        house.nginx.restore(None, stop=True)
        assert Process.find(stranger.pid)
        stranger.kill()


def test_an_nginx_with_another_text_is_not_ours(house: House) -> None:
    other = House(house.binary.path)
    try:
        other.nginx.apply(other.simple("other"))
        with open(other.pid_file) as theirs, open(house.pid_file, "w") as ours:
            ours.write(theirs.read())

        assert house.nginx.master() is None
        house.nginx.stop()
        assert other.nginx.master()
    finally:
        other.end()


def test_an_nginx_that_names_no_text_is_ours_unless_it_is_younger_than_the_pid_file(house: House) -> None:
    with open(house.conf_file, "w") as file:
        file.write(house.simple("one"))
    argv = [house.binary.path, "-p", house.folder, "-c", "nginx.conf"]
    assert house.commands.run(argv).status == 0
    eventually(house.nginx.master)

    master = house.nginx.master()
    assert master

    os.utime(house.pid_file, (master.started() - 5, master.started() - 5))

    assert house.nginx.master() is None
    os.utime(house.pid_file)
    assert house.nginx.master()
    assert house.nginx.apply(house.simple("one")) == "unchanged"
    assert house.nginx.apply(house.simple("two")) == "reloaded"


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="needs a second file system at /dev/shm")
def test_a_pid_file_in_memory_that_is_older_than_the_boot_says_that_the_clock_was_set(house: House) -> None:
    """A machine without a clock of its own boots in the past, starts nginx, and then learns the time by NTP."""
    with open(house.conf_file, "w") as file:
        file.write(house.simple("one"))
    assert house.commands.run([house.binary.path, "-p", house.folder, "-c", "nginx.conf"]).status == 0
    eventually(house.nginx.master)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        pid_file = shutil.copy(house.pid_file, f"{folder}/nginx.pid")
        os.utime(pid_file, (1e9, 1e9))

        assert running.find_master(pid_file, house.conf_file) == house.nginx.master()


def test_a_port_that_is_free_has_no_listener(house: House) -> None:
    assert complaints.listener(house.port) is None
    assert complaints.listener(free_port()) is None
