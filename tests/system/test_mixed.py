"""Services of every kind in one project: they are switched together, or none of them is."""

from __future__ import annotations

import pytest

from tests.waiting import eventually
from zdd.load import Kind

from .classic import web as classic_web
from .project import (
    LIGHT,
    PLAIN,
    PLAIN_TCP,
    PLAIN_UNIX,
    WORKER,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    template,
    version,
)

# How nginx gets to each of them, by the user's own template.
ROUTES = {"web": "/", "api": "/api", "chat": "/chat", "old": "/old"}
KINDS = (*(Kind(path=path, weight=2) for path in ROUTES.values()), Kind("POST", "/echo", 2000), Kind("POST", "/api", 9))
ALL = ("web", "api", "chat", "jobs", "old")


def everything(project: Project) -> None:
    """One service by descriptor, one by path, one by port, a worker, and a classic one."""
    classic = {"start": classic_web("old"), "stop": "kill", "pid_file": "old.pid"}
    configure(
        project,
        service("web", **PLAIN, instances=2, keep_warm="1s", health_path="/"),
        service("api", **PLAIN_UNIX, keep_warm="1s", health_path="/"),
        service("chat", **PLAIN_TCP, keep_warm="1s", health_path="/"),
        service("jobs", **WORKER),
        service("old", **classic),
        nginx='template = "nginx.conf.template"\npid_file = "R/nginx.pid"\n',
    )
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    locations = "".join(f"location {path} {{ proxy_pass http://{name}; }}\n" for name, path in ROUTES.items())
    template(project, locations, "upstream old { server 127.0.0.1:{old}; }", "web", "api", "chat")


def serving(project: Project) -> dict[str, int]:
    """The processes of all that serves, by instance."""
    return {
        one["id"]: one["pid"]
        for service in project.status()["services"]
        for one in service["instances"]
        if one["state"] == "serving"
    }


def test_all_kinds_of_services_are_deployed_together_and_nothing_is_lost(project: Project) -> None:
    everything(project)
    project.zddeploy()
    with project.load(KINDS, rate=200) as load:
        for number in range(2, 5):
            version(project, number)
            project.zddeploy()
        report = load.stop()

    assert_only_reloads_cost(report)
    for name, path in ROUTES.items():
        eventually(lambda name=name, path=path: f"{name} 4" in project.get(path))  # type: ignore[misc]
    assert sorted(serving(project)) == ["api-4", "chat-4", "jobs-4", "old-4", "web-7", "web-8"]
    print(f"{report.requests} requests, {report.reconnects} reconnects, {dict(report.failed)}")


@pytest.mark.parametrize("broken", ALL)
def test_one_broken_service_keeps_all_others_from_being_switched(project: Project, broken: str) -> None:
    everything(project)
    project.zddeploy()
    before, text = serving(project), (project.folder / "nginx.conf").read_text()
    with project.load(KINDS, **LIGHT) as load:
        version(project, 2)
        key = "start" if broken == "old" else "run"
        project.replace("deploy.toml", 'min_uptime = "100ms"', 'min_uptime = "1m"')  # the time a busy machine may need
        project.replace("deploy.toml", f'[service.{broken}]\n{key} = "', f'[service.{broken}]\n{key} = "false ')
        said = project.zddeploy(code=1).stderr
        report = load.stop()

    assert_nothing_lost(report)
    assert sorted(report.answered) == ["1", "old 1"]
    assert said.startswith(f"zddeploy: {broken}: ")
    assert "deploy 1 still serves" in said
    assert serving(project) == before
    assert (project.folder / "nginx.conf").read_text() == text
    assert {path.stem for path in (project.runtime / "control").iterdir()} == before.keys()


def test_one_service_of_many_is_deployed_alone(project: Project) -> None:
    everything(project)
    project.zddeploy()
    before = serving(project)
    text = (project.folder / "nginx.conf").read_text()
    with project.load(KINDS, **LIGHT) as load:
        version(project, 2)
        project.zddeploy("deploy", "api")
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    after = serving(project)
    assert before.items() - after.items() == {("api-1", before["api-1"])}
    assert after.keys() - before.keys() == {"api-2"}
    assert (project.folder / "nginx.conf").read_text() == text


def test_a_service_that_nginx_does_not_reach_hinders_no_deploy_of_another_one(project: Project) -> None:
    web, api = service("web", **PLAIN), service("api", **PLAIN, path="/api")
    configure(project, web, api)
    # Through nginx, and only there, api's header is longer than nginx takes.
    long = 'b"HTTP/1.1 200 OK\\r\\nX: " + b"x" * 70000 + b"\\r\\n\\r\\n"'
    long += ' if NAME == "api" and "x-real-ip" in headers and os.path.exists("long")'
    project.replace("plain.py", "sendall(answer(", f"sendall({long} else answer(")
    project.zddeploy()
    project.write("long", "")

    version(project, 2)
    project.zddeploy("deploy", "web")
    eventually(lambda: "web 2" in project.get("/"))

    # Now nginx is given another text, and all are asked.
    project.replace("deploy.toml", "[nginx]\n", '[nginx]\nclient_max_body_size = "7M"\n')
    said = project.zddeploy("deploy", "web", code=1).stderr
    assert "zddeploy: api: healthy, but nginx answers 502" in said
    assert sorted(serving(project)) == ["api-1", "web-2"]


def test_services_added_removed_and_renamed_lose_nothing(project: Project) -> None:
    """Those that stay, and those whose route goes to another name."""
    shop = service("shop", **PLAIN, path="/", keep_warm="0s")
    api = service("api", **PLAIN_UNIX, path="/api", keep_warm="0s")
    steps = [
        (shop, api),  # added
        (shop,),  # removed
        (shop.replace("service.shop", "service.site"),),  # renamed
        (shop.replace("service.shop", "service.web"), api, service("jobs", **WORKER)),  # all at once
    ]
    configure(project, shop)
    project.zddeploy()
    with project.load(rate=200) as load:
        for number, services in enumerate(steps, 2):
            configure(project, *services)
            version(project, number)
            project.zddeploy()
        report = load.stop()

    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2", "3", "4", "5"]
    eventually(lambda: "api 5" in project.get("/api"))
    assert sorted(serving(project)) == ["api-2", "jobs-1", "web-1"]
    eventually(lambda: {one["name"] for one in project.status()["services"]} == {"web", "api", "jobs"})
    print(f"{report.requests} requests, {report.reconnects} reconnects, {dict(report.failed)}")


def test_a_template_that_leads_nowhere_is_taken_back(project: Project) -> None:
    """nginx accepts the text; only the request through it shows that the way is wrong."""
    everything(project)
    project.zddeploy()
    before, text = serving(project), (project.folder / "nginx.conf").read_text()
    project.replace(
        "nginx.conf.template", "location / { proxy_pass http://web; }", "location / { proxy_pass http://127.0.0.1:1; }"
    )
    said = project.zddeploy(code=1).stderr

    assert "web: healthy, but nginx answers 502 for GET /" in said
    assert serving(project) == before
    assert (project.folder / "nginx.conf").read_text() == text
    assert "web 1" in project.get("/")
