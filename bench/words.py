"""Figures for people, and tables of them."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table, figures to the right."""
    names = head.strip("| ").split(" | ")
    rule = "| --- |" + " ---: |" * (len(names) - 1)
    return [head, rule, *("| " + " | ".join(row) + " |" for row in rows)]


def milliseconds(seconds: float | None, unit: str = " ms") -> str:
    """Three digits that count, nothing for what could not be seen."""
    if seconds is None:
        return ""
    value = seconds * 1000
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:,.{digits}f}{unit}"


def megabytes(size: float | None) -> str:
    """One digit after the point."""
    return "" if size is None else f"{size / 1e6:.1f} MB"


def count(number: float | None) -> str:
    """A number of things."""
    return "" if number is None else f"{number:g}"


def about(number: float | None) -> str:
    """A number of things on average."""
    return "" if number is None else f"{number:.0f}"


def slots(number: str) -> str:
    """So many slots; what follows a comma follows it here, too; what is no number says itself what it is."""
    count, comma, more = number.partition(", ")
    if not count.isdecimal():
        return number
    return f"{count} slot{'s' if count != '1' else ''}{comma}{more}"
