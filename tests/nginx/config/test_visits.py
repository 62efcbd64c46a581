"""The requests of the gate through zdd's own text: they lead to the service that they are for."""

from __future__ import annotations

import pytest

from zdd.conf.services import RunService
from zdd.nginx.config import visits
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.visits import find

ADDRESS = ("127.0.0.1", 80)


def service(name: str, **keys: object) -> RunService:
    return RunService(name=name, run=["app"], **keys)  # type: ignore[arg-type]


def asked(
    wanted: str, *services: RunService, server_name: tuple[str, ...] = (), canonical: str | None = None
) -> tuple[str, str] | None:
    request = find({each.name: each for each in services}, [wanted], server_name, ADDRESS, canonical).get(wanted)
    return (request.host, request.path) if isinstance(request, Visit) else None


def test_a_host_of_the_service_is_asked_for_if_the_health_requests_one_leads_elsewhere() -> None:
    web = service("web", host=["shop.test"], health_host="localhost", health_path="/up")

    assert asked("web", web) == ("shop.test", "/up")


def test_the_health_requests_own_host_is_asked_for_if_it_leads_there() -> None:
    assert asked("web", service("web", health_host="10.0.0.1")) == ("10.0.0.1", "/")
    assert asked("web", service("web", host=["*.shop.test"], health_host="a.shop.test")) == ("a.shop.test", "/")


def test_a_service_for_all_hosts_is_not_asked_by_one_that_another_service_has() -> None:
    assert asked("web", service("web"), service("admin", host=["localhost"])) == ("zdd.invalid", "/")


@pytest.mark.parametrize(
    ("health", "path"), [("/apihealth", "/api"), ("/api/health", "/api/health"), ("/api?a=/b", "/api?a=/b")]
)
def test_a_path_is_asked_for_if_it_lies_below_the_route_by_whole_segments(health: str, path: str) -> None:
    assert asked("api", service("api", path="/api", health_path=health), service("web")) == ("localhost", path)


def test_a_health_path_that_belongs_to_another_service_is_not_asked_for() -> None:
    web, api = service("web", health_path="/api/health"), service("api", path="/api")

    assert asked("web", web, api) == ("localhost", "/")


def test_a_service_that_no_request_leads_to_is_not_asked() -> None:
    assert asked("web", service("web", host=["~^shop"])) is None
    assert asked("worker", service("worker", socket="none")) is None


def test_the_servers_name_is_that_of_services_without_a_host() -> None:
    assert asked("web", service("web"), server_name=("shop.test",)) == ("shop.test", "/")


def test_the_canonical_host_is_asked_for_where_the_service_has_it_as_nginx_redirects_the_others() -> None:
    shop = service("shop", host=["www.shop.test", "Shop.test"], health_host="www.shop.test")

    assert asked("shop", shop, canonical="shop.test") == ("shop.test", "/")
    assert asked("web", service("web"), server_name=("a.test", "b.test"), canonical="b.test") == ("b.test", "/")
    assert asked("api", service("api", host=["api.test"]), shop, canonical="shop.test") == ("api.test", "/")


def test_of_a_thousand_services_few_are_compared_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, covers = list[str](), visits._covers

    def counted(route: str, path: str) -> bool:
        compared.append(route)
        return covers(route, path)

    monkeypatch.setattr(visits, "_covers", counted)
    by_host = [RunService(name=f"h{number}", run="app", host=[f"{number}.test"]) for number in range(500)]
    by_path = [RunService(name=f"p{number}", run="app", path=f"/{number}") for number in range(500)]
    services = {service.name: service for service in [*by_host, *by_path]}

    found = visits.find(services, services, [], ("127.0.0.1", 80), None)

    assert all(isinstance(visit, Visit) for visit in found.values())
    assert len(compared) <= 4 * len(services)
