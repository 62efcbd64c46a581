"""The events of a deploy: one class for each kind, sent to every listener as they happen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from zdd import secret
from zdd.errors import ZddError, last_words


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that happened. In JSON it is one object whose field `event` names its kind."""


class Begin(Event, frozen=True, kw_only=True, tag="begin"):
    """A deploy has its number; it `started` then (as of time.time()). `text` says where a rollback goes."""

    deploy: int
    action: str
    project: str
    started: float
    text: str | UnsetType = UNSET


class Doing(Event, frozen=True, kw_only=True, tag="doing"):
    """A step begins; `text` says what it does."""

    step: str
    text: str


class Step(Event, frozen=True, kw_only=True, tag="step"):
    """A step has ended, after this many seconds."""

    step: str
    seconds: float
    ok: bool


class Healthy(Event, frozen=True, kw_only=True, tag="healthy"):
    """A new instance is healthy, this many seconds after its start."""

    service: str
    instance: str
    seconds: float


class Proxy(Event, frozen=True, kw_only=True, tag="proxy"):
    """nginx was started or reloaded."""

    subject: str
    text: str


class Drain(Event, frozen=True, kw_only=True, tag="drain"):
    """
    The instance `subject` drains or has ended.

    `handed` connections that its app had not accepted were handed on to the new version. `killed_after` is how many
    seconds the app had to stop before it was killed.
    """

    subject: str
    service: str
    text: str
    connections: int | UnsetType = UNSET
    drained: int | UnsetType = UNSET
    cut: int | UnsetType = UNSET
    handed: int | UnsetType = UNSET
    killed_after: float | UnsetType = UNSET
    seconds: float | UnsetType = UNSET

    @property
    def is_draining(self) -> bool:
        """Whether the instance still drains."""
        return self.connections is not UNSET and self.drained is UNSET


class Command(Event, frozen=True, kw_only=True, tag="command"):
    """A command is run."""

    text: str


class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """Something that a person should know."""

    text: str
    service: str | UnsetType = UNSET
    instance: str | UnsetType = UNSET


class Unproved(Event, frozen=True, kw_only=True, tag="unproved"):
    """
    The deploy could not prove that visitors reach the new version of this service.

    `reason` is one of REASONS, `text` says it to a person.
    """

    service: str
    reason: str
    text: str


REASONS = {
    "no-request": "zdd knows no request that leads there",
    "no-answer": "what listens there did not answer",
    "closed": "nginx closed the connection without an answer",
    "no-mark": "the answer does not show which version it is from",
    "redirect": "nginx answers with a redirect",
    "nginx": "nginx answers by itself",
    "maintenance": "the maintenance page is on",
    "certificate": "browsers do not accept the certificate of a host",
    "pool": "nginx's pooled connections may lead to the version before for longer than 5 s",
}
"""Why something could not be proved: the closed list of an event's `reason`."""


class Plan(Event, frozen=True, kw_only=True, tag="plan"):
    """A step that would be done."""

    step: str
    text: str


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """
    The change has failed and is undone from now on; the result follows.

    `cause`, `output`, `log` and `hint` are those of the error.
    """

    cause: str
    output: list[str] | UnsetType = UNSET
    log: str | UnsetType = UNSET
    hint: str | UnsetType = UNSET

    @classmethod
    def of(cls, error: ZddError) -> Failed:
        """Return the event of an error, with the output of the program that failed first."""
        program = (
            error if hasattr(error, "output") else error.__cause__
        )  # the cause of a failed undo is the first error
        log = getattr(program, "log", None)
        return cls(cause=error.message, output=last_words(error) or UNSET, log=log or UNSET, hint=error.hint or UNSET)


class Result(Event, frozen=True, kw_only=True, tag="result"):
    """The last event: how the command ended, why, and with which exit code."""

    outcome: str = "done"
    cause: str | None = None
    exit: int = 0
    deploy: int | UnsetType | None = UNSET
    output: list[str] | UnsetType = UNSET
    services: list[str] | UnsetType = UNSET
    instances: list[str] | UnsetType = UNSET
    maintenance: str | UnsetType = UNSET
    seconds: float | UnsetType = UNSET
    drained: int | UnsetType | None = UNSET
    cut: int | UnsetType = UNSET
    handed: int | UnsetType = UNSET
    killed: list[str] | UnsetType = UNSET
    unproved: list[dict[str, str]] | UnsetType = UNSET
    text: str | UnsetType = UNSET


AnyEvent = Begin | Doing | Step | Healthy | Proxy | Drain | Command | Notice | Unproved | Plan | Failed | Result


class Listener(Protocol):
    """A receiver of events: the terminal, the JSON stream, the deploy's logs."""

    def take(self, event: Event) -> None:
        """Receive one event."""


class Events:
    """Sends events to listeners. Remembers how long each step took, what was cut and what could not be proved."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = list(listeners)
        self.steps: list[dict[str, object]] = []
        self.cut = 0
        self.killed: list[str] = []
        self.unproved: list[Unproved] = []

    def send(self, event: Event) -> None:
        """
        Send an event to every listener, with its secrets hidden.

        A listener that fails, for example because its terminal is gone, gets no more events; the deploy goes on.
        """
        event = _without_secrets(event)
        if isinstance(event, Unproved):
            self.unproved.append(event)
        for listener in list(self.listeners):
            try:
                listener.take(event)
            except (OSError, ValueError):  # ValueError: a text that cannot be encoded
                self.listeners.remove(listener)

    def notice(self, text: str) -> None:
        """Send a notice."""
        self.send(Notice(text=text))

    def command(self, text: str) -> None:
        """Send a command that runs."""
        self.send(Command(text=text))

    @contextlib.contextmanager
    def timed(self, step: str, text: str = "") -> Iterator[None]:
        """Send an event when a step begins, and another with its seconds when it ends, even if it failed."""
        self.send(Doing(step=step, text=text or step))
        begun, ok = time.monotonic(), False
        try:
            yield
            ok = True
        finally:
            seconds = round(time.monotonic() - begun, 4)
            self.steps.append({"name": step, "seconds": seconds})
            self.send(Step(step=step, seconds=seconds, ok=ok))


def _without_secrets(event: Event) -> Event:
    shown = {name: secret.hide_in(value) for name, value in msgspec.structs.asdict(event).items()}
    return msgspec.structs.replace(event, **shown)
