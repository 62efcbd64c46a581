"""
A storm around an nginx that somebody else runs: another hand reloads, restarts and replaces it and edits other sites,
at random, while versions, broken ones too, are deployed and rolled back at 200 requests a second. Every exit code is
true, 5 included, and the deploys lose no more than the storm does between them.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

import pytest

from tests.machine import free_port
from tests.system.foreign_nginx import Foreign
from tests.system.project import PLAIN, PLAIN_TCP, Project, configure, service, version
from tests.waiting import eventually
from zdd.host.process import Process
from zdd.load import OUTCOMES, Kind, Report

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others")

SECONDS = (45.0, 600.0)  # in a sample, and with ZDD_CHAOS_ALL
COMMANDS = (15, 50)
TAIL = 1.5  # seconds after a switch in which pooled connections may still lead to the version before
SETTLED = 180.0  # seconds until a machine as busy as it may be has one state: old versions are kept warm for 20 s
KINDS = (
    Kind(path="/web", weight=3),
    Kind("POST", "/web", body=2000),
    Kind(path="/port", weight=3),
    Kind("POST", "/port", body=2000),
)
SITE = """\
server {
    listen 127.0.0.1:PORT;
    location /web { proxy_pass http://web; }
    location /port { proxy_pass http://port; }
}
"""


class Storm(Thread):
    """
    Another hand; what it does is decided by a seed. `calm` lets nothing begin while it is held.

    `away` has the times in which nothing listened, `reloads` those at which workers were replaced.
    """

    def __init__(self, foreign: Foreign, seed: int) -> None:
        super().__init__()
        self.foreign = foreign
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.reloads: list[float] = []
        self.away: list[tuple[float, float]] = []
        self.calm = Lock()
        self._end = Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do something every now and then: mostly reload, seldom restart."""
        acts = [self.reload] * 6 + [self.edit] * 3 + [self.upgrade] * 2 + [self.restart]
        try:
            while not self._end.wait(self.random.uniform(0.1, 1.5)):
                act = self.random.choice(acts)
                with self.calm:
                    act()
                self.done[act.__name__] += 1
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        self._end.set()
        self.join()
        if self.error:
            raise self.error

    def reload(self) -> None:
        self.reloads.append(time.monotonic())
        os.kill(self.foreign.master, signal.SIGHUP)

    def edit(self) -> None:
        """Edit another site, and reload; sometimes with a mistake in it, which nginx refuses, and mend it."""
        port, broken = free_port(), self.random.random() < 0.3
        project = self.foreign.project
        project.write("site-other.conf", f"server {{ listen 127.0.0.1:{port}; return 204{'' if broken else ';'} }}\n")
        self.reload()
        if broken:
            time.sleep(self.random.uniform(0, 0.5))
            project.write("site-other.conf", "")
            self.reload()

    def upgrade(self) -> None:
        """Replace the program by itself, as its manual says: USR2, then QUIT to the old one."""
        old = Process.find(self.foreign.master)
        assert old
        renamed = self.foreign.pid_file.stat().st_ctime_ns
        old.signal(signal.SIGUSR2)
        eventually(lambda: self._is_beside(old) or self._has_refused(old, renamed), SETTLED)
        if self._is_beside(old):
            time.sleep(self.random.uniform(0, 1))
            self.reloads.append(time.monotonic())
            old.signal(signal.SIGQUIT)
            assert old.wait(SETTLED)

    def restart(self) -> None:
        """Stop it gracefully and start it, as a package's upgrade does: meanwhile nobody is served."""
        old = Process.find(self.foreign.master)
        assert old
        since = time.monotonic()
        self.reloads.append(since)
        old.signal(signal.SIGQUIT)
        assert old.wait(SETTLED)
        self.foreign.start()
        self.away.append((since, time.monotonic()))

    def _is_beside(self, old: Process) -> bool:
        """Whether a new master takes requests, too."""
        return self._master() not in (None, old.pid) and bool(self.foreign.workers())

    def _has_refused(self, old: Process, renamed: int) -> bool:
        """Whether the new program has ended, as for a taken port; nginx then gives its pid file the name back."""
        has_changed = self.foreign.pid_file.stat().st_ctime_ns != renamed  # first: a new one may be written meanwhile
        return has_changed and self._master() == old.pid

    def _master(self) -> int | None:
        with suppress(OSError, ValueError):
            return self.foreign.master
        return None


@pytest.fixture
def foreign(project: Project) -> Iterator[Foreign]:
    made = Foreign(project)
    yield made
    made.stop()


def test_in_a_storm_every_exit_code_is_true_and_deploys_lose_nothing(
    project: Project, foreign: Foreign, everything: bool
) -> None:
    seed = int(os.environ.get("ZDD_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"seed {seed} (ZDD_SEED)")
    served(project, foreign)
    seconds, commands = SECONDS[everything], COMMANDS[everything]

    with storming(foreign, seed + 1) as storm, load(project) as loading:
        captain = Captain(project, random.Random(seed))
        until = time.monotonic() + seconds
        for number in range(commands):
            if everything and number == commands // 2:  # it takes half a minute
                captain.command_while_stopped(foreign, storm)
            took = captain.command()
            pause = (until - time.monotonic()) / (commands - number)
            time.sleep(max(min(took, 10.0), pause * 0.5))  # about as long as that the storm is alone
        storm.end()
        report = loading.stop()

    print(f"storm: {dict(storm.done)}; commands: {captain.codes}")
    print(f"lost {dict(report.failed)} of {report.requests}, {len(storm.reloads)} and {captain.reloads} reloads")
    captain.agree()
    assert captain.codes["stopped: 5"] == everything
    costs_only_what_nginx_does(report, storm)
    costs_no_more(report, storm, captain)


def served(project: Project, foreign: Foreign) -> None:
    """Have an fd service and a tcp one behind an nginx of somebody else's."""
    common = {"keep_warm": "20s", "health_path": "/"}
    configure(project, service("web", **PLAIN, **common), service("port", **PLAIN_TCP, **common))
    text = (project.folder / "deploy.toml").read_text()
    begin, end = text.index("[nginx]"), text.index("[service.web]")
    project.write("deploy.toml", text[:begin] + foreign.section() + text[end:])
    foreign.start()
    project.zddeploy()
    project.write("site.conf", SITE.replace("PORT", str(project.port)))
    foreign.reload()


def load(project: Project):  # type: ignore[no-untyped-def]
    return project.load(KINDS, rate=200, connections=16, timeout=20)


@contextmanager
def storming(foreign: Foreign, seed: int) -> Iterator[Storm]:
    storm = Storm(foreign, seed)
    storm.start()
    try:
        yield storm
    finally:
        storm.end()


class Captain:
    """
    Deploys, rolls back and breaks at random, and compares what visitors get with each exit code.

    `busy` has the times of its commands, and of what they may cost afterwards.
    """

    def __init__(self, project: Project, chance: random.Random) -> None:
        self.project, self.random = project, chance
        self.codes: Counter[str] = Counter()
        self.number, self.serving, self.faults = 1, "1", list[str]()
        self.reloads = 0
        self.busy: list[tuple[float, float]] = []

    def command(self) -> float:
        """Give a command; returns how many seconds it took."""
        begun = time.monotonic()
        self._command()
        self.busy.append((begun, time.monotonic()))
        return time.monotonic() - begun

    def _command(self) -> None:
        command = self.random.choice(["deploy"] * 4 + ["rollback", "broken", "restart"])
        before = self.serving
        if command in ("deploy", "broken"):
            self.number += 1
            version(self.project, self.number)
        good = (self.project.folder / "deploy.toml").read_text()
        if command == "broken":
            self.project.write("deploy.toml", good.replace("plain.py", "missing.py"))
        args = ["deploy"] if command == "broken" else [command]
        self.reloads += 2  # there and, where it fails, back
        done = self.project.zddeploy(*args, code=None, timeout=300)
        self.project.write("deploy.toml", good)
        self.codes[f"{command}: {done.returncode}"] += 1
        if done.returncode:
            print(f"{command}: exit {done.returncode}: {done.stderr.splitlines()[:1]}")
        self._compare(command, before, done.returncode, done.stdout + done.stderr)

    def command_while_stopped(self, foreign: Foreign, storm: Storm) -> None:
        """
        Deploy while nginx's master stands still, so that nobody can know which text it will run: exit 5 is true.

        The same is said, and nothing is stopped, until it goes on; then `recover` brings back what served.
        """
        self.number += 1
        begun = time.monotonic()
        version(self.project, self.number)
        with storm.calm:
            before = {one["id"] for one in self._instances() if one["state"] == "serving"}
            stopped = Process.find(foreign.master)
            assert stopped
            stopped.signal(signal.SIGSTOP)
            try:
                for args in ([], ["recover"]):
                    done = self.project.zddeploy(*args, code=5)
                    assert "no new worker came within" in " ".join(done.stderr.split())
                    found = self._instances()
                    assert before < {one["id"] for one in found}
                    assert not [one for one in found if one["state"] in ("dead", "failed", "down")]
                    self._agreed("stopped", self.serving, time.monotonic())
            finally:
                stopped.signal(signal.SIGCONT)
        self.codes["stopped: 5"] += 1
        self.reloads += 2
        assert self._recover("stopped", done.stderr) == 0
        self._agreed("stopped, recover", self.serving, time.monotonic())
        self.busy.append((begun, time.monotonic()))

    def _compare(self, command: str, before: str, code: int, said: str) -> None:
        ended = time.monotonic()
        if code not in (0, 1, 2, 5):
            self.faults.append(f"{command}: exit {code}: {said}")
            return
        if code == 5:
            code = self._recover(command, said)
            if code == 0:
                self.serving = self._agreed(f"{command}, recover", None, ended)
            return
        wanted = None if command == "rollback" and code == 0 else str(self.number) if code == 0 else before
        self.serving = self._agreed(f"{command}: exit {code}: {said}", wanted, ended)

    def _recover(self, command: str, said: str) -> int:
        """What needs a person: all instances live, and `recover` ends it once it is known which text runs."""
        dead = [one for one in self._instances() if one["state"] in ("dead", "failed", "down")]
        if dead:
            self.faults.append(f"{command}: exit 5 and {dead}: {said}")
        codes = []
        until = time.monotonic() + SETTLED
        while time.monotonic() < until:
            codes.append(self.project.zddeploy("recover", code=None).returncode)
            if codes[-1] == 0:
                break
        self.codes[f"recover: {codes[-1]}"] += 1
        if codes[-1]:
            self.faults.append(f"{command}: exit 5, then recover: {codes}: {said}")
        return codes[-1]

    def _instances(self) -> list[dict[str, object]]:
        return [one for each in self.project.status()["services"] for one in each["instances"]]

    def _agreed(self, what: str, wanted: str | None, ended: float) -> str:
        """Ask until all answers come from one version, as soon as pooled connections are closed; return it."""
        time.sleep(max(0.0, ended + TAIL - time.monotonic()))
        seen = {answer for path in ("/web", "/port") * 10 if (answer := self._answer(path))}
        if len(seen) > 1 or (wanted and seen - {wanted}):
            self.faults.append(f"{what}\n  visitors get {sorted(seen)} and not {wanted}")
        return min(seen, default=wanted or self.serving)

    def _answer(self, path: str) -> str | None:
        """Which version answers; None while nginx is being restarted."""
        with suppress(OSError, IndexError):
            return self.project.get(path).split("X-Release: ")[1].split("\r\n")[0]
        return None

    def agree(self) -> None:
        """After the storm there is one state, and no fault has been seen."""
        assert not self.faults, "\n".join(self.faults)
        self.project.zddeploy("recover")
        eventually(lambda: self.project.status()["problems"] == [], SETTLED)
        eventually(lambda: len(self._instances()) == 2, SETTLED)


def costs_no_more(report: Report, storm: Storm, captain: Captain) -> None:
    """
    A reload resets no more clients during a command than between commands: an nginx before 1.27.4 resets idle ones.

    How many these are depends on the machine and on what else it does, so both are taken from the same minutes.
    """
    resets = [due + took for due, took in failed(report, "reset")]
    during, busy = count(resets, captain.busy), count(storm.reloads, captain.busy) + captain.reloads
    between, idle = len(resets) - during, len(storm.reloads) + captain.reloads - busy
    expected = busy * (between + 3 * math.sqrt(between) + 4) / max(1, idle)  # by chance it may have been fewer
    most = expected + 4 * math.sqrt(expected) + 10
    print(f"resets: {during} at {busy} reloads during commands, {between} at {idle} between them, at most {most:.0f}")
    assert during <= most


def count(times: list[float], spans: list[tuple[float, float]]) -> int:
    """Return how many of the times are in one of the spans."""
    return sum(any(since <= at <= until for since, until in spans) for at in times)


def failed(report: Report, how: str) -> Iterator[tuple[float, float]]:
    """Yield when each request was due that failed so, and how long it took to fail."""
    samples = report.samples
    for due, took, outcome in zip(samples.due, samples.took, samples.outcome, strict=True):
        if OUTCOMES[outcome] == how:
            yield due, took


def costs_only_what_nginx_does(report: Report, storm: Storm) -> None:
    """No request is answered 5xx, cut or late, and refused only while nginx is being restarted."""
    others = set(report.failed) - {"reset", "refused"}
    assert not others, f"{dict(report.failed)}: {[one for one in report.failures if one.outcome in others][:5]}"
    refused = [(due, due + took) for due, took in failed(report, "refused")]  # in between, however late that was seen
    stray = [at for at in refused if not any(since <= at[1] and at[0] <= until for since, until in storm.away)]
    assert not stray, f"{len(stray)} of {len(refused)} refused while nginx was there: {stray[:5]}, {storm.away}"
