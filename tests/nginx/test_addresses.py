"""What nginx connects to, there and back."""

from __future__ import annotations

from zdd.nginx import addresses
from zdd.routing.manifest import Instance, Manifest

CURRENT = "/run/zdd/shop/current"
TABLE = Manifest(
    1,
    "deploy",
    {
        "web-1": Instance("web-1", "web", "fd"),
        "web-2": Instance("web-2", "web", "unix"),
        "api-1": Instance("api-1", "api", "tcp", port=8001),
        "jobs-1": Instance("jobs-1", "jobs", "none"),
    },
)


def test_a_slot_or_a_port_and_nothing_for_workers() -> None:
    assert addresses.of(TABLE, CURRENT) == {
        "web": [f"unix:{CURRENT}/web/00", f"unix:{CURRENT}/web/01"],
        "api": ["127.0.0.1:8001"],
    }


def test_each_address_leads_back_to_its_service_and_begins_as_a_projects_do() -> None:
    for service, known in addresses.of(TABLE, CURRENT).items():
        for address in known:
            assert addresses.services(TABLE, CURRENT)[address] == service
            assert address.startswith(addresses.beginnings(CURRENT))
    assert f"unix:{CURRENT}/web/02" not in addresses.services(TABLE, CURRENT)
