"""The first failure stays the cause, whatever fails later: in the undo, in the history, in the report."""

from __future__ import annotations

from typing import cast

import pytest

from zdd.deploy import pipeline
from zdd.deploy.outcome import known_to_serve, report_failure
from zdd.deploy.steps import Step
from zdd.errors import DeployFailed, NeedsPerson, Unforeseen, last_words
from zdd.events import Event, Events, Notice, Result
from zdd.project import Project
from zdd.release.work import BuildFailed

CAUSE = BuildFailed("build: `make` ended with exit status 2", ["make: no rule"], "deploy-2.log")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), DeployFailed("gone"), KeyError("bug")])
def test_an_undo_that_fails_too_names_the_first_cause_first_and_keeps_its_output(error: Exception) -> None:
    def undo(project: Project) -> None:
        raise error

    steps = [Step("fails", "a step whose undo fails", lambda project: None, undo)]

    with pytest.raises(NeedsPerson) as caught:
        pipeline.undo(steps, cast("Project", None), CAUSE)

    assert caught.value.message.startswith(f"{CAUSE.message}; undoing it failed too: fails: ")
    assert last_words(caught.value) == ["make: no rule"]
    assert caught.value.log == "deploy-2.log"
    assert isinstance(caught.value.__cause__, Unforeseen) == isinstance(error, KeyError)


class Listener:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def take(self, event: Event) -> None:
        self.events.append(event)


def test_the_cause_is_reported_even_if_what_serves_is_unknown() -> None:
    listener = Listener()

    class Broken:
        events = Events(listener)

        def __getattr__(self, name: str) -> object:
            raise OSError(5, "Input/output error", "R/current")

    project = cast("Project", Broken())

    assert report_failure(project, CAUSE, known_to_serve(project)) is CAUSE

    notice, result = listener.events
    assert isinstance(notice, Notice)
    assert isinstance(result, Result)
    assert (result.cause, result.output, result.exit) == (CAUSE.message, ["make: no rule"], 1)
