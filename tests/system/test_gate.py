"""The gate: what it proves, what it refuses, and what it only tells, while clients are served."""

from __future__ import annotations

from typing import Any

import pytest

from .at_load import BUSY
from .project import (
    HEAD,
    PLAIN,
    PLAIN_TCP,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)

pytestmark = pytest.mark.usefixtures("each_nginx")
TWO = (
    service("web", **PLAIN, health_host="shop.test", health_path="/"),
    service("other", **PLAIN, health_host="other.test", health_path="/"),
)
SITE = (
    HEAD
    + """\
    {zdd.mark}
    upstream web { {web.servers} }
    upstream other { {other.servers} }
    server { listen 127.0.0.1:PORT; server_name shop.test; SHOP }
    server { listen 127.0.0.1:PORT default_server; server_name www.test; location / { proxy_pass http://web; } }
    server { listen 127.0.0.1:PORT; server_name other.test; location / { proxy_pass http://other; } }
}
"""
)


@pytest.fixture
def shop(project: Project) -> Any:
    """What makes a project behind a template; `shop.test`, by which the gate asks for web, has the given lines."""

    def make(lines: str, text: str = SITE) -> None:
        configure(project, *TWO)
        text = text.replace("PORT", str(project.port)).replace("SHOP", lines)
        project.write("nginx.conf.template", text)
        project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', 'template = "nginx.conf.template"')

    return make


def result(events: list[dict[str, Any]]) -> dict[str, Any]:
    return events[-1]


def test_an_answer_of_another_service_is_no_proof_and_is_refused(project: Project, shop: Any) -> None:
    shop("location / { proxy_pass http://web; }")
    project.zddeploy()
    shop("location / { proxy_pass http://other; }")
    version(project, 2)

    with project.load(host="www.test", **BUSY) as load:
        refused = project.events(code=1)
        report = load.stop()

    assert "with Host shop.test is answered by service other" in result(refused)["cause"]
    assert "X-Release: 1" in project.get(host="www.test")
    assert_only_reloads_cost(report)
    assert next(iter(report.answered)) == "1"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("location / { return 200 hello; }", "nginx"),
        ("return 301 https://shop.test/;", "redirect"),
        ("location / { auth_basic shop; auth_basic_user_file /dev/null; proxy_pass http://web; }", "nginx"),
        ("return 444;", "closed"),
        ("location / { add_header A b; proxy_pass http://web; }", "no-mark"),
    ],
    ids=["a page", "a redirect", "a login", "no answer at all", "headers of its own"],
)
def test_what_nginx_answers_by_itself_proves_nothing_and_is_told(
    project: Project, shop: Any, lines: str, reason: str
) -> None:
    shop(lines)
    project.zddeploy()
    version(project, 2)

    with project.load(host="www.test", **BUSY) as load:
        events = project.events()
        report = load.stop()

    assert result(events)["exit"] == 0
    assert result(events)["unproved"] == [{"service": "web", "reason": reason}]
    told = next(event["text"] for event in events if event["event"] == "unproved")
    assert told.startswith("web: not proved that visitors get this version: ")
    assert_nothing_lost(report)
    assert report.reconnects == 0


def test_a_proved_deploy_leaves_nothing_unproved(project: Project) -> None:
    configure(project, service("web", **PLAIN), service("api", **PLAIN_TCP, path="/api"))

    assert result(project.events())["unproved"] == []


@pytest.mark.parametrize("page", ["error_page 502 504 =503 /down;", "error_page 502 504 =200 /down;"])
def test_a_page_of_nginxs_in_place_of_an_app_that_it_cannot_reach_is_refused(
    project: Project, shop: Any, page: str
) -> None:
    away = f"{page} location = /down {{ internal; return 503; }} location / {{ proxy_pass http://web/bad; }}"
    shop(away)
    project.zddeploy()
    shop(away, SITE.replace("upstream web { {web.servers} }", "upstream web { server 127.0.0.1:1; }"))
    version(project, 2)

    assert "healthy, but nginx answers 502" in result(project.events(code=1))["cause"]


def test_an_app_that_does_not_know_the_host_any_more_is_refused(project: Project) -> None:
    """Without a health_path anything below 500 is healthy, and 400 is how Django refuses a Host."""
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    project.write("plain.py", (project.folder / "plain.py").read_text().replace("200 OK", "400 Bad Request"))
    version(project, 2)

    with project.load(**BUSY) as load:
        refused = project.events(code=1)
        report = load.stop()

    assert (
        "the new version answers 400 for GET / with Host localhost, where the one before answered 200"
        in (result(refused)["cause"])
    )
    assert list(report.answered) == ["1", "2"]  # for the moment in which the gate asks


def test_the_health_request_itself_need_not_lead_to_the_service(project: Project) -> None:
    """The gate asks as visitors do: by the host and the path of the route."""
    configure(
        project,
        service("web", **PLAIN, host="shop.test", health_host="localhost", health_path="/"),
        service("api", **PLAIN, path="/api", health_path="/apihealth"),
        service("localhost", **PLAIN, host="localhost"),
    )

    assert result(project.events())["unproved"] == []


def test_the_words_of_the_mark_are_nobody_elses_to_read(project: Project) -> None:
    configure(project, service("web", run="python -S plain.py {fd}", env={"SEEN": "1"}))
    project.zddeploy()
    version(project, 2)
    project.zddeploy()
    secret, word = (project.state / "gate").read_text().split()

    holders = [
        path for path in project.folder.rglob("*") if path.is_file() and word in path.read_bytes().decode("latin-1")
    ]

    assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}
    assert {path.name for path in holders} >= {"gate", "nginx.conf"}
    assert "X-Zdd" not in project.get()
    assert secret not in project.log("*")


def test_an_app_sees_neither_word_and_cannot_fake_the_mark(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.write(
        "plain.py",
        (project.folder / "plain.py")
        .read_text()
        .replace("200 OK", "200 OK\\r\\nX-Zdd-Slot: faked 0123456789abcdef 1 unix:/faked 200"),
    )

    assert result(project.events())["unproved"] == []
    assert "faked" not in project.get()
