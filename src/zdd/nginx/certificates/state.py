"""What status and checks tell of a certificate."""

from __future__ import annotations

import msgspec


class CertificateState(msgspec.Struct, frozen=True):
    """
    A certificate that stands in nginx's text, and the hosts it is there for.

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
