"""The state of a certificate, as status and checks report it."""

from __future__ import annotations

import msgspec


class CertificateState(msgspec.Struct, frozen=True):
    """
    A certificate in nginx's text, and its hosts.

    `ends` is as of time.time(), `days_left` below 0 once it has expired; both are None for a placeholder and for what
    cannot be read. `problem` is a sentence if browsers refuse it, `warning` if they will soon.
    """

    hosts: list[str]
    names: list[str]
    issuer: str | None
    ends: float | None
    days_left: int | None
    placeholder: bool
    problem: str | None = None
    warning: str | None = None
