"""Worker processes that end again and again while their server starts: it will never answer, and does not end."""

from __future__ import annotations

from collections.abc import Callable

from zdd.host import proc, process
from zdd.host.process import Process

_EVERY = 0.05  # seconds between looks
_SETTLED = 3  # clock ticks of 10 ms after which a copy is no child that is about to run another program
_AFTER, _ENOUGH, _MOMENTS = 5.0, 4, 3  # seconds of the start; workers that have ended, at so many different looks
_SHELLS = {"sh", "dash", "bash", "ash", "ksh", "zsh", "busybox"}  # their copies run the parts of a script


class Respawns:
    """
    Looks at the processes below the app, at most every 50 ms.

    A worker is a copy of its parent (fork without exec), or a Node or Python process that was started as one.
    """

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self._looked = 0.0
        self._workers: dict[int, bool] = {}  # whether each living process is one
        self._parents: dict[int, int] = {}
        self._ended: dict[int, list[float]] = {}  # when workers have ended, by their parent

    def look(self, app: Callable[[], Process | None], now: float) -> int:
        """Return how many workers of one parent have ended, once they have done so again and again; else 0."""
        if now - self._looked < _EVERY or (root := app()) is None:
            return 0
        self._looked = now
        living = _below(root.pid)
        for pid in self._workers.keys() - living.keys():
            if self._workers.pop(pid):
                self._ended.setdefault(self._parents[pid], []).append(now)
        self._parents = living
        for pid, parent in living.items():
            self._workers[pid] = self._workers.get(pid) or _is_worker(pid, parent)
        ended = [moments for parent, moments in self._ended.items() if parent in living or parent == root.pid]
        again = [len(moments) for moments in ended if len(moments) >= _ENOUGH and len(set(moments)) >= _MOMENTS]
        return max(again, default=0) if now - self.begun >= _AFTER else 0


def _below(app: int) -> dict[int, int]:
    """Return the parent of each process below the app."""
    parents: dict[int, int] = {}
    todo = [app]
    for parent in todo:
        children = [child for child in process.children(parent) if Process.find(child)]  # zombies have ended
        parents |= dict.fromkeys(children, parent)
        todo += children
    return parents


def _is_worker(pid: int, parent: int) -> bool:
    found = Process.find(pid)
    if found is None or process.now() - found.start_time < _SETTLED:
        return False
    if _is_copy(pid, parent):
        return proc.read(f"/proc/{parent}/comm").decode(errors="replace").strip() not in _SHELLS
    return "multiprocessing" in process.title(pid) or "NODE_UNIQUE_ID" in process.environment(pid)


def _is_copy(pid: int, of: int) -> bool:
    """Return whether a process is a fork of that one without an exec since: each program has its own addresses."""
    vector = proc.read(f"/proc/{pid}/auxv")
    return bool(vector) and vector == proc.read(f"/proc/{of}/auxv")
