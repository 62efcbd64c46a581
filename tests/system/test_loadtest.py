"""loadtest: a redeploy of the user's own project under load, and what became of every request."""

from __future__ import annotations

import json

import pytest

from zdd.operate.loadtest import Span, Timeline

from .project import PLAIN, Project, configure, service

QUICK = ("--yes", "--seconds", "0.5", "--rate", "100")
WEB = service("web", **PLAIN, health_path="/")
ILL = """
import os, plain

well = plain.answer

def answer(*request):
    if not os.path.exists("ill"):
        return well(*request)
    open("seen", "w").close()
    return plain.whole("500 Ill", b"")

plain.answer = answer
plain.main("3")
"""
HOOK = "rm -f seen; touch ill; while test ! -e seen; do sleep 0.05; done; rm ill seen; sleep 0.5"


def test_what_serves_is_restarted_and_no_request_fails(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()

    shown = project.zddeploy("loadtest", *QUICK).stdout.splitlines()
    (*_, load) = project.events("loadtest", *QUICK)

    assert shown[0].startswith(f"load: 100 GET / a second to 127.0.0.1:{project.port} on 16 connections")
    assert shown[-1].endswith("requests, none failed; the server closed 0 connections")
    assert project.serving().keys() == {"web-3"}
    assert project.instances().keys() == {"web-3"}  # the old one was drained under load, not kept warm
    assert (load["event"], load["failed"], load["failures"], load["reconnects"]) == ("load", {}, [], 0)
    assert load["requests"] >= 100
    assert 0 < load["p50_ms"] <= load["p99_ms"]


def test_each_request_that_fails_is_told_with_the_step_that_ran(project: Project) -> None:
    hook = f"test $ZDD_ACTION = deploy || {{ {HOOK}; }}"
    configure(project, service("web", run="python -S ill.py {fd}", health_path="/"), after_switch=hook)
    project.write("ill.py", ILL)
    project.zddeploy()

    result = project.zddeploy("--json", "loadtest", *QUICK, code=1)

    load = json.loads(result.stdout.splitlines()[-1])
    assert load["failed"].keys() == {"5xx"}
    assert "hook-after_switch" in {one["step"] for one in load["failures"]}
    assert {one["outcome"] for one in load["failures"]} == {"5xx"}
    assert load["failures"][0]["at"] > 0.4
    shown = project.zddeploy("loadtest", *QUICK, code=1).stdout
    assert "5xx      GET /  while: hook-after_switch  (" in shown
    assert " 5xx); the server closed" in shown


def test_a_restart_that_is_undone_is_told_of_beside_what_clients_met(project: Project) -> None:
    configure(project, service("web", run="sh -c 'test ! -e broken || exit 3; exec python -S plain.py {fd}'"))
    project.zddeploy()
    project.write("broken", "")

    result = project.zddeploy("loadtest", *QUICK, code=1)

    assert "requests, none failed" in result.stdout
    assert "ended with exit status 3" in result.stderr
    assert "deploy 1 still serves" in result.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:PORT/api/slow/x", "is not answered with 2xx"),
        ("ftp://127.0.0.1/", "is neither http"),
        ("https://127.0.0.1:9/", "is not answered with 2xx: refused"),
        ("http://127.0.0.1:9/", "is not answered with 2xx: refused"),
    ],
)
def test_a_url_that_is_not_answered_to_begin_with_is_refused(project: Project, url: str, words: str) -> None:
    configure(project, service("web", run="python -S ill.py {fd}", path="/api"))
    project.write("ill.py", ILL.replace("os.path.exists", "request[1].endswith").replace('"ill"', '"/x"'))
    project.zddeploy()

    refused = project.zddeploy("loadtest", *QUICK, "--url", url.replace("PORT", str(project.port)), code=2).stderr

    assert words in refused
    assert "--url" in refused
    assert project.serving().keys() == {"web-1"}


def test_it_is_asked_for_and_needs_something_that_serves(project: Project) -> None:
    configure(project, WEB)
    assert "nothing is deployed" in project.zddeploy("loadtest", *QUICK, code=2).stderr
    project.zddeploy()

    assert "there is no terminal to ask" in project.zddeploy("loadtest", code=2).stderr
    assert project.serving().keys() == {"web-1"}


def test_the_innermost_step_that_ran_is_named() -> None:
    timeline = Timeline()
    assert timeline.step_at(1.0) == "before the deploy"

    timeline.begin, timeline.end = 10.0, 20.0
    timeline.spans = [
        Span(11.0, 14.0, "before-start"),
        Span(12.0, 13.0, "hook-before_start"),
        Span(14.0, 15.0, "start"),
    ]

    moments = (9.0, 11.5, 12.5, 13.5, 14.5, 16.0, 21.0)
    assert [timeline.step_at(moment) for moment in moments] == [
        "before the deploy",
        "before-start",
        "hook-before_start",
        "before-start",
        "start",
        "draining the old version",
        "after the deploy",
    ]
