"""The error for an instance that is healthy, and whose answer visitors do not get."""

from __future__ import annotations

from collections.abc import Sequence

from zdd.errors import DeployFailed

SLOW = "nginx has no whole answer of the app's yet, or waits for something else, such as auth_request"
"""The hint where nginx does not answer in time."""
_USUAL = "nginx must be able to reach the socket: its worker user, its routes, its network namespace"
# What nginx logs of an app that it has reached, and the hint for it.
_REACHED = (
    ("too big header", "the headers of the app's answer, cookies among them, must fit into nginx's proxy_buffer_size"),
    ("prematurely closed", "the app closed the connection before its answer was whole: its own log may say why"),
    ("upstream sent ", "the app's answer is none that nginx takes for HTTP"),
)


class Unreachable(DeployFailed):
    """The instance is healthy, but visitors do not get its answers; `output` is what nginx logged."""

    def __init__(self, message: str, output: Sequence[str] = (), hint: str | None = None) -> None:
        known = (cure for words, cure in _REACHED if any(words in line for line in output))
        super().__init__(message, hint=hint or next(known, _USUAL))
        self.output = list(output)
