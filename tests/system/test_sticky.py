"""With `sticky` a client meets the instance that has its session again, whatever is deployed beside it."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.load import Kind

from ..pages import DOCS, Page
from .project import PLAIN, Project, assert_nothing_lost, configure, service, template, version

SESSIONS = {"run": "python -S sessions.py {fd}", "health_path": "/", "instances": 3, "keep_warm": "0s"}
CLIENTS = 40


class Client:
    """Somebody with an address of their own, and perhaps a cookie."""

    def __init__(self, project: Project, number: int, cookie: str | None = None) -> None:
        self.project = project
        self.source = (f"127.2.0.{number + 1}", 0)
        self.headers = {"Host": "localhost"} | ({"Cookie": cookie} if cookie else {})
        self.session = ""

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.project.port, 60, self.source)
        try:
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def open(self) -> str:
        """Begin a session; returns the instance that has it."""
        status, text = self.get("/open")
        assert status == 200
        instance, self.session = text.split()
        return instance

    def has_session(self) -> bool:
        return self.get(f"/poll/{self.session}")[0] == 200


def clients(project: Project, **options: str) -> list[Client]:
    return [Client(project, number, **options) for number in range(CLIENTS)]


@pytest.mark.parametrize("sticky", ["ip", "cookie:connect.sid"])
def test_a_client_meets_the_instance_of_the_same_number_after_each_deploy(project: Project, sticky: str) -> None:
    configure(project, service("web", **SESSIONS, sticky=sticky))
    project.zddeploy()
    everybody = [Client(project, number % 7, f"a=1; connect.sid={number}") for number in range(CLIENTS)]
    if sticky == "ip":
        everybody = clients(project)
    met = []

    with project.load((Kind(path="/"),), rate=100, connections=8, record="") as visitors:
        for _ in range(3):
            first = min(int(name.rpartition("-")[2]) for name in project.serving())
            met.append([int(client.get("/")[1].rpartition("-")[2]) - first for client in everybody])
            assert [int(client.get("/")[1].rpartition("-")[2]) - first for client in everybody] == met[-1]
            said = project.zddeploy().stdout
            assert "not proved" not in said
            eventually(lambda: len(project.instances()) == 3)
        report = visitors.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert set(met[0]) == {0, 1, 2}
    assert met[1:] == met[:-1]


def test_no_session_is_lost_while_another_service_is_deployed_and_an_instance_of_others_crashes(
    project: Project,
) -> None:
    configure(project, service("web", **SESSIONS, sticky="ip"), service("api", **PLAIN, path="/api", keep_warm="0s"))
    project.zddeploy()
    everybody = clients(project)
    homes = {client: client.open() for client in everybody}
    victim = homes[everybody[0]]
    over, lost = threading.Event(), list[str]()

    def poll(client: Client) -> None:
        while not over.is_set():
            if not client.has_session():
                lost.append(homes[client])

    with ThreadPoolExecutor(CLIENTS) as pool:
        polls = [pool.submit(poll, client) for client in everybody if homes[client] != victim]
        try:
            for number in (2, 3):
                version(project, number)
                project.zddeploy("deploy", "api")
            os.kill(project.serving()[victim], signal.SIGKILL)
            eventually(lambda: project.instances()[victim]["restarts"] == 1)
            eventually(lambda: project.instances()[victim]["state"] == "serving")
        finally:
            over.set()
        for polling in polls:
            polling.result()

    assert lost == []
    assert everybody[0].get("/")[1] == victim


def test_the_address_of_who_has_no_cookie_counts(project: Project) -> None:
    configure(project, service("web", **SESSIONS, sticky="cookie:sid"))
    project.zddeploy()

    by_address = [client.get("/")[1] for client in clients(project)]

    assert set(by_address) == set(project.serving())
    assert [client.get("/")[1] for client in clients(project, cookie="sid=")] == by_address
    assert len({client.get("/")[1] for client in clients(project, cookie="sid=1")}) == 1


def test_with_one_instance_and_with_ports_it_does_no_harm(project: Project) -> None:
    tcp = {**PLAIN, "run": "python -S plain.py {port}", "socket": "tcp", "instances": 2}
    configure(project, service("web", **PLAIN, sticky="ip"), service("api", **tcp, path="/api", sticky="cookie:a-b"))
    for number in (1, 2):
        version(project, number)
        said = project.zddeploy().stdout

        assert "not proved" not in said
        assert f"X-Release: {number}" in project.get()
        assert f"X-Release: {number}" in project.get("/api")


def test_a_template_leads_clients_by_the_keys_that_the_mark_brings(project: Project) -> None:
    configure(project, service("web", **SESSIONS, sticky="ip"), nginx='template = "nginx.conf.template"\n')
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    template(project, "location / { proxy_pass http://web; }", "{zdd.mark}", "web")

    assert "not proved" not in project.zddeploy().stdout
    first = [client.get("/")[1] for client in clients(project)]

    assert set(first) == set(project.serving())
    assert [client.get("/")[1] for client in clients(project)] == first


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        (lambda text: text.replace("{zdd.mark}", ""), "{zdd.mark}"),
        (lambda text: text.replace("{web.servers}", "server 127.0.0.1:1;"), "{web.servers}"),
        (lambda text: text.replace("{web.servers}", "least_conn; {web.servers}"), "an upstream without a method"),
    ],
)
def test_a_template_that_cannot_is_refused_beforehand(
    project: Project, change: Callable[[str], str], lacks: str
) -> None:
    configure(project, service("web", **SESSIONS, sticky="ip"), nginx='template = "nginx.conf.template"\n')
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    template(project, "location / { proxy_pass http://web; }", "{zdd.mark}", "web")
    path = project.folder / "nginx.conf.template"
    path.write_text(change(path.read_text()))

    said = project.zddeploy(code=2).stderr

    assert f"web: sticky needs {lacks}" in said
    assert not project.runtime.exists() or not list(project.runtime.glob("instances/*"))


def test_the_guide_is_one_that_zdd_understands(project: Project) -> None:
    blocks = [block.text for block in Page(DOCS / "guides/sticky.md").blocks if block.where == "deploy.toml"]
    configure(project)
    for text in blocks:
        project.write("deploy.toml", project.section() + f'[nginx]\nlisten = "127.0.0.1:{free_port()}"\n' + text)

        assert 'sticky = "ip"' in project.zddeploy("config").stdout
