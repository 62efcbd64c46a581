"""The proxy before the services, as the rest of zdd sees it: a protocol of two classes, and of the tests' fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from msgspec import Struct

from zdd.events import Unproved
from zdd.finding import Finding
from zdd.host.process import Process
from zdd.instances.driver import ProxySide
from zdd.nginx.certificates.state import CertificateState
from zdd.nginx.config.listen import Visit
from zdd.nginx.process.binary import Binary
from zdd.nginx.process.whereabouts import Whereabouts
from zdd.routing.manifest import Manifest

Check = Callable[[], None]
"""What a wait calls again and again; it may raise."""


def proceed() -> None:
    """Let a wait go on."""


class MaintenanceCheck(Struct, frozen=True):
    """
    How to see that nginx answers with the maintenance page.

    `unasked` names what no request is known for, `needed` says what the user has to write, None where zdd writes it.
    """

    visits: list[Visit]
    unasked: list[str]
    needed: str | None


class Proxy(Protocol):
    """
    nginx before the services: the text that it should have for a table, and bringing it there and back.

    Nobody but `proxies.open_proxy` asks whose nginx it is: what depends on that is a question here. What only an nginx
    of ours does, has the answer of somebody else's.
    """

    @property
    def is_needed(self) -> bool:
        """Whether any service of the configuration gets requests: for workers alone zdd starts no nginx."""
        return True

    @property
    def routes(self) -> bool:
        """Whether zdd's own text routes requests to services, by their hosts and paths."""

    @property
    def read_timeout(self) -> float | None:
        """How many seconds nginx waits for an app's answer; None where only the user's text says it."""

    @property
    def binary(self) -> Binary:
        """The nginx program. Raises UsageError when there is none."""

    def require(self) -> None:
        """Raise UsageError, while nothing is touched yet, where something that a deploy needs is missing."""

    def text(self, target: Manifest) -> str:
        """Return the text nginx should have for this table: a function of configuration and table alone."""

    def runs(self, text: str) -> bool:
        """Return whether nginx runs this very text already."""

    def rehearse(self, target: Manifest) -> None:
        """Test the text of this table if nginx would get another one; called while the new version boots."""

    def apply(self, deploy: int, text: str) -> str:
        """
        Bring nginx to the text, and keep the one of before for `restore`; returns what was done, in words.

        Raises DeployFailed when nginx does not take it; then the text of before is in place and what ran before runs.
        """

    def mend(self, deploy: int, text: str) -> str:
        """
        Bring nginx to the text as `apply` does; workers whose master has died get a new one, too.

        Raises DeployFailed, and UsageError.
        """

    def restore(self, deploy: int) -> None:
        """Bring nginx back to the text that `apply` replaced; do nothing where `apply` was never called. Idempotent."""

    def look_before(self, target: Manifest, before: Manifest | None) -> None:
        """Remember, before the switch, how the version that serves answers what `check` will ask."""

    def check(self, target: Manifest, before: Manifest | None) -> list[Unproved]:
        """
        Send one request through nginx to each service that changed, or to all when nginx got another text.

        Returns what could not be proved. Raises DeployFailed where a request surely does not arrive.
        """

    def visits(self, services: Sequence[str]) -> list[Visit]:
        """Return the requests that lead through nginx to these services, as far as they are known."""

    def unasked(self) -> dict[str, str]:
        """Return the services that no request is known for, each with the reason."""

    def maintenance(self, serving: Manifest | None) -> MaintenanceCheck:
        """
        Return how to see that nginx answers with the maintenance page.

        Raises ZddError where it is known that nginx does not look for the page.
        """

    def whereabouts(self) -> Whereabouts:
        """Return what is known of the running nginx: its master, and what follows from that."""

    def worker_users(self) -> list[int]:
        """Return the users that nginx's workers run as, or will."""

    def retiring_workers(self) -> list[Process]:
        """Return the workers from before a reload that still finish what they have."""

    def processes(self) -> list[Process]:
        """Return all processes that may listen on `listen`."""
        return []

    def listen(self) -> list[str]:
        """Return the addresses that nginx listens on, as far as that is for zdd to check."""
        return []

    def open_ports(self) -> None:
        """Start an nginx of ours although nothing is deployed yet. Raises DeployFailed."""
        return

    def quit(self) -> list[Process]:
        """Make an nginx of ours take nothing new; returns its workers, which finish what they have."""
        return []

    def rest(self, current: Manifest) -> None:  # noqa: ARG002
        """Make an nginx of ours end, without waiting for it, if no service of this table gets requests."""
        return

    def stop(self) -> None:
        """Stop an nginx of ours; clients that are being answered get their answers first."""
        return

    def problem(self) -> str | None:
        """Return what is wrong with nginx, None when it runs."""

    def describe(self) -> dict[str, Any]:
        """Return what `status` says of nginx."""

    def capacity(self) -> str:
        """Return how many requests can wait, and what sets that limit, as a part of a sentence."""

    def access(self) -> ProxySide:
        """Return what an instance needs in order to let nginx in, and only nginx."""

    def first_unsearchable_folder(self) -> tuple[str, str] | None:
        """Return a folder on the way to the sockets that a user of nginx's workers cannot search, and that user."""

    def findings(self) -> Iterator[Finding]:
        """Yield what `check` says of nginx itself."""

    def certificates(self) -> list[CertificateState]:
        """Return the certificates that an nginx of ours has, none where it speaks no HTTPS."""
        return []

    def certificate_findings(self, new: bool = False) -> Iterator[Finding]:  # noqa: ARG002
        """Yield what `check` says of them; with `new` only what a deploy is refused for: new ones that are no good."""
        return iter(())

    def notices(self) -> Iterator[Finding]:
        """Yield what each deploy says before it begins: what may surprise later."""
        return iter(())

    def text_findings(self) -> Iterator[Finding]:
        """Yield what `check` says of the text that the user has written."""
