"""The demo: five deploys, one of them broken, while clients keep calling."""

from __future__ import annotations

from functools import partial

import click

from zdd.demo.figures import Figures
from zdd.demo.project import BROKEN, SERVICE, Project, Run
from zdd.errors import ZddError
from zdd.host.clock import Clock
from zdd.interrupts import Interrupts
from zdd.load import Kind, Load, LoadError, Spec
from zdd.nginx.process import binary
from zdd.terminal import Terminal, faint

_FIRST, *_NEXT = range(1, 7)

# A load that two slow cores easily handle. The WebSockets last all the time: each stays with its first release.
_MIX = (Kind(weight=60), Kind("POST", "/echo", body=1024, weight=38), Kind(path="/slow", weight=2))
_RATE, _CONNECTIONS, _WEBSOCKETS = 400, 32, 4

_PAUSE = 1.8  # seconds of load alone before and after each deploy
_POLL = 0.1  # seconds

_INTRODUCTION = """
{title}: new releases of a web service, while its clients keep calling

Restart a service, and until it is up again its users get errors. zdd starts
the new release beside the old one, proves that it works, and only then moves
all traffic over, in one step. Watch the counters: not one request may fail.

In front: nginx {nginx}. Behind it: {folder}/app.py, a plain Python
program. This is all that zdd has to know of it:
"""


class Demo:
    """Tells the story on a terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._interrupts = Interrupts()
        self._load: Load | None = None
        self._serving = _FIRST

    def play(self) -> Figures:
        """
        Run the whole demo; nothing of it remains afterwards, however it ends.

        Raises ZddError if it is interrupted (Ctrl-C, SIGTERM) or cannot run.
        """
        version = ".".join(map(str, binary.find(None, None).version))
        try:
            with self._interrupts.caught(), Project() as project:
                try:
                    self._introduce(project, version)
                    self._start(project)
                    figures = self._under_load(project)
                finally:
                    self._terminal.show("stopping everything ...")
        except LoadError as error:
            raise ZddError(f"no load could be made: {error}") from error
        finally:
            self._terminal.erase()
        self._terminal.log(f"all stopped, {project.folder} removed")
        return figures

    def _introduce(self, project: Project, nginx: str) -> None:
        title = click.style("zddeploy demo", bold=True)
        self._terminal.say(_INTRODUCTION.format(title=title, nginx=nginx, folder=project.folder))
        for line in SERVICE.splitlines():
            self._terminal.say(f"    {line}", "cyan")
        self._terminal.say()

    def _start(self, project: Project) -> None:
        run = project.deploy(_FIRST, partial(self._breathe, f"starting release {_FIRST} ..."))
        if run.code:
            error = ZddError("\n".join(run.errors).removeprefix("zddeploy: "))
            error.exit_code = run.code
            raise error
        self._terminal.log(f"release {_FIRST} serves at http://127.0.0.1:{project.port}/")

    def _under_load(self, project: Project) -> Figures:
        target = f"127.0.0.1:{project.port}"
        spec = Spec(target, _MIX, _RATE, _CONNECTIONS, websockets=_WEBSOCKETS, record="X-Release")
        deploys = {}
        with Load(spec) as self._load:
            load = f"{_RATE} requests a second on {_CONNECTIONS} connections, {_WEBSOCKETS} WebSockets"
            self._terminal.log(f"clients begin: {load}")
            for release in _NEXT:
                self._watch()
                deploys[release] = project.deploy(release, partial(self._breathe, f"deploying release {release} ..."))
                self._log(release, deploys[release])
            self._watch()
            return Figures(deploys, self._load.stop())

    def _log(self, release: int, run: Run) -> None:
        name = click.style(f"release {release}", bold=True)
        if run.outcome == "done":
            self._serving = release
            start, switch = run.part("healthy"), run.part("step", step="publish")
            outcome = click.style(f"live after {run.seconds:.2f} s", fg="green")
            parts = faint(f"app started in {start:.2f} s, switch {switch * 1000:.1f} ms")
            self._terminal.log(f"{name}  {outcome}   {parts}")
            return
        outcome = click.style(f"refused after {run.seconds:.2f} s", fg="yellow" if release == BROKEN else "red")
        self._terminal.log(f"{name}  {outcome}: release {self._serving} serves on. Why:")
        for line in run.errors:
            if line.startswith(("zddeploy: ", "  | ")) and not line.startswith("  | zdd: "):
                self._terminal.detail(line.removeprefix("zddeploy: "))

    def _watch(self) -> None:
        """Let the load run alone for a while."""
        clock = Clock()
        for _ in clock.poll(_POLL, until=clock.now() + _PAUSE):
            self._breathe(f"release {self._serving} serves")
        self._terminal.keep(self._counts())

    def _breathe(self, scene: str) -> None:
        """Show the current scene; raise if a signal asked us to stop."""
        self._interrupts.check()
        failed = self._load is not None and any(self._load.progress().failed.values())
        self._terminal.show(f"{self._counts()}   {scene}".lstrip(), "red" if failed else "cyan")

    def _counts(self) -> str:
        if self._load is None:
            return ""
        seen = self._load.progress()
        return f"{seen.done:,} requests   {sum(seen.failed.values())} failed   {seen.reconnects} reconnects"
