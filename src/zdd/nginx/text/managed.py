"""The text of an nginx that zdd runs, and what follows from it: zdd's own text and the user's template differ there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from zdd.conf.schema import Config
from zdd.finding import Finding
from zdd.nginx.certificates.state import CertificateState
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.parse import Directive
from zdd.nginx.process.binary import Binary
from zdd.paths import Paths
from zdd.routing.manifest import Manifest


class ManagedText(Protocol):
    """
    The text that nginx reads, for a configuration.

    `binary` and `mark` are called when they are needed. `routes` is as in Proxy.
    """

    config: Config
    paths: Paths
    binary: Callable[[], Binary]
    mark: Callable[[], Mark]
    routes: bool

    def __init__(self, config: Config, paths: Paths, binary: Callable[[], Binary], mark: Callable[[], Mark]) -> None:
        self.config = config
        self.paths = paths
        self.binary = binary
        self.mark = mark

    @property
    def pid_file(self) -> str:
        """The file that nginx writes its number to."""
        return str(self.config.nginx.pid_file or self.paths.nginx_pid)

    @property
    def read_timeout(self) -> float | None:
        """As in Proxy."""

    @property
    def prefix(self) -> str:
        """Where relative paths in the text start."""

    def require(self) -> None:
        """Raise UsageError where something that the text is made of cannot be read."""
        return

    @property
    def is_needed(self) -> bool:
        """As in Proxy; the user's own text may do more than zdd knows."""
        return True

    def is_needed_for(self, target: Manifest) -> bool:  # noqa: ARG002
        """Return whether nginx has anything to do for this table."""
        return True

    def make_folder(self) -> None:
        """Make the folder for the text, where that is zdd's."""
        return

    def text(self, target: Manifest) -> str:
        """Return the text for a table: a function of configuration and table alone."""

    def directives(self) -> list[Directive]:
        """Return the directives that are the same for every table, as far as zdd reads them."""

    def worker_user(self) -> str:
        """Return the user that the workers of root's nginx run as."""

    def listen(self) -> list[str]:
        """Return the addresses that nginx listens on."""

    def of_both_families(self) -> set[int]:
        """Return the ports of which one socket is to take IPv6 and IPv4; zdd's own text has one for each."""
        return set()

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        """Return a request through nginx to each of these services, or why none is known."""

    def doors(self) -> list[Visit]:
        """Return requests to server blocks that may show the mark, as far as they are known."""

    def require_page(self) -> None:
        """Raise UsageError where the text does not look for the maintenance page."""
        return

    def certificates(self) -> list[CertificateState]:
        """As in Proxy."""
        return []

    def certificate_findings(self, new: bool = False) -> Iterator[Finding]:  # noqa: ARG002
        """As in Proxy."""
        return iter(())

    def cause_in(self, text: str, complaint: str) -> str | None:  # noqa: ARG002
        """Return the user's file and line that nginx complains of in this text, if the text does not show it."""
        return None

    def findings(self) -> Iterator[Finding]:
        """Yield what `check` says of the text."""
        return iter(())

    def notices(self) -> Iterator[Finding]:
        """As in Proxy."""
        return iter(())
