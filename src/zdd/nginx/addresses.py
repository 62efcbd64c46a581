"""What nginx connects to for an instance: its slot in the table in force, or its port on this machine."""

from __future__ import annotations

from zdd.routing.manifest import Manifest

_PORT = "127.0.0.1:"


def of(target: Manifest, current: str) -> dict[str, list[str]]:
    """Return the addresses of each service, workers left out; `current` is the link to the table in force."""
    return {
        name: [
            f"{_slots(current)}{name}/{number:02}" if instance.has_slot else f"{_PORT}{instance.port}"
            for number, instance in enumerate(instances)
        ]
        for name, instances in target.by_service().items()
        if instances[0].kind != "none"
    }


def services(target: Manifest, current: str) -> dict[str, str]:
    """Return the service of the table that each address leads to."""
    return {address: name for name, addresses in of(target, current).items() for address in addresses}


def beginnings(current: str) -> tuple[str, ...]:
    """Return what the addresses of a project begin with; those of others may have the second."""
    return _slots(current), _PORT


def _slots(current: str) -> str:
    return f"unix:{current}/"
