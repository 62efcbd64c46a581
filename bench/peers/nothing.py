"""A deploy that does nothing, which calibrates: what is counted for it is counted too much for all others."""

from __future__ import annotations

from bench.peers import gunicorn_hup


class Driver(gunicorn_hup.Driver):
    """No deploy at all; the old version goes on."""

    title = "nothing"
    docs = "it has none"

    def deploy(self) -> None:
        """Do nothing."""

    def serves_new(self) -> bool:
        """Return whether it answers, as it did before."""
        return True
