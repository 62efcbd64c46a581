"""zddeploy logs: what the instances print."""

from __future__ import annotations

import re
import time
from pathlib import Path

import click

from zdd.cli import options
from zdd.errors import UsageError
from zdd.places import Places

_POLL = 0.2


@click.command("logs")
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is printed from now, new instances included.")
@click.option("-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="Lines of each instance.")
@options.common
def command(
    services: tuple[str, ...], follow: bool, lines: int, conf: Path | None, verbose: bool, as_json: bool
) -> int:
    """Show what the newest instances of each service printed, each line with its instance."""
    site = options.site_of(conf, verbose, as_json, looks_only=True)
    unknown = [service for service in services if service not in site.config.services]
    if unknown:
        raise UsageError(f"{site.config.path} has no service {unknown[0]!r}")
    tails = Tails(site.places, services or tuple(site.config.services))
    tails.show(lines)
    while follow:
        time.sleep(_POLL)
        tails.show(None)
    return 0


class Tails:
    """The logs of some services, and how far each has been shown."""

    def __init__(self, places: Places, services: tuple[str, ...]) -> None:
        self.places = places
        self.services = services
        self.shown: dict[Path, int] = {}

    def show(self, lines: int | None) -> None:
        """Print what is new; of a log that was not shown before its last `lines`, all where that is None."""
        for path in self._newest() if lines is not None else self._all():
            size = path.stat().st_size
            start = self.shown.get(path, 0)
            if lines is None and size == start:
                continue
            with path.open("rb") as log:
                log.seek(start if start <= size else 0)  # it was rotated when it is shorter than what was shown
                text = log.read()
            whole = text[: text.rfind(b"\n") + 1]  # a line that is being written is shown when it is whole
            self.shown[path] = (start if start <= size else 0) + len(whole)
            new = whole.decode(errors="replace").splitlines()
            for line in new[-lines:] if lines else new if lines is None else []:
                click.echo(f"{path.stem:<20} | {line}")
        if lines is not None:
            self.shown |= {path: path.stat().st_size for path in self._all() if path not in self.shown}

    def _newest(self) -> list[Path]:
        by_service = {service: self._of(service) for service in self.services}
        return [paths[-1] for paths in by_service.values() if paths]

    def _all(self) -> list[Path]:
        return [path for service in self.services for path in self._of(service)]

    def _of(self, service: str) -> list[Path]:
        """Return the service's logs, the oldest instance first."""
        found = {}
        for path in Path(self.places.logs).glob("*.log"):
            if match := re.fullmatch(re.escape(service) + r"-([0-9]+)", path.stem):
                found[int(match[1])] = path
        return [found[number] for number in sorted(found)]
