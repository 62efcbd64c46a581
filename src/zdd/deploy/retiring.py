"""nginx's workers that may still send requests to the instances of a deploy that goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zdd.routing.manifest import Manifest

if TYPE_CHECKING:
    from zdd.host.process import Process
    from zdd.project import Project


class Retiring:
    """Looks for these workers once for all instances of the target: the machine may run thousands of processes."""

    def __init__(self, target: Manifest) -> None:
        self.target = target
        self._known: list[Process] | None = None

    def workers(self, project: Project) -> list[Process] | None:
        """Return the workers; None if no request was led to the target's instances."""
        if not self.target.exposed:
            return None
        if self._known is None:
            self._known = project.proxy.retiring_workers()
        return self._known
