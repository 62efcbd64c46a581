"""
One message of the control protocol: a JSON object in a line.

The other side may be of another version, and whatever listens on the socket or connects to it may be no zdd at all. So
neither side uses a field before `wrong` has found its type right.
"""

from __future__ import annotations

from zdd.host import light_json as json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

LONGEST = 1 << 20  # bytes of an answer or event; a request is shorter, see control.py
_LONGEST_TIME = 1e9  # seconds: longer than every duration that a configuration may have
_LAST_TIME = 1e11  # seconds of time.time(): a few thousand years
_HIGHEST = (1 << 32) - 1  # of what the kernel numbers
_PROGRAMS = ("stranger", "program_of_root")
_TEXTS = ("op", "error", "state", "exit", "release", "event", "words", "stage", "service", "instance", *_PROGRAMS)
_SECONDS = ("seconds", "warm", "drain", "restart_in", "paused", "stalled")
_NUMBERS = ("version", "oldest", "pid", "port", "restarts", "drained", "cut", "connections", "long_lived", "waiting")
_NEEDED = {"gone": ("drained", "cut", "seconds"), "exit": ("words", "status")}  # by kind of event
_MAY_BE_NONE = ("exit", "release", "since", "restart_in", "paused", "stalled", "pid", "port", "errno", *_PROGRAMS)


def parse(line: bytes) -> Message | None:
    """Return the message in the line; None if it is none, or if a field has a wrong type."""
    message = decode(line)
    return None if message is None or wrong(message) else message


def decode(line: bytes) -> Message | None:
    """Return the JSON object in the line; None if it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def wrong(message: Message) -> str | None:
    """Return which field of a message cannot be used, and why; None if all can."""
    for name, value in message.items():
        if (needed := _needed(name)) and not (value is None and name in _MAY_BE_NONE) and not _fits(needed, value):
            return f"{name} must be {needed}"
    missing = [name for name in _NEEDED.get(message.get("event", ""), ()) if name not in message]
    return f"{missing[0]} is missing" if missing else None


def _needed(name: str) -> str:
    """Return what a field must be; nothing for an unknown one."""
    if name in _TEXTS:
        return "a text"
    if name in _SECONDS:
        return "a number of seconds"
    if name in _NUMBERS:
        return "a whole number"
    return _OTHERS.get(name, "")


_OTHERS = {
    "ok": "true or false",
    "since": "a time",
    "status": "an exit status",
    "errno": "an exit status",
    "address": "a path or a port",
    "events": "a list of events",
    "files": "a list of files",
    "users": "a list of users",
    "workers": "a list of processes",
}


def _fits(needed: str, value: Any) -> bool:
    match needed:
        case "a text":
            return isinstance(value, str)
        case "a number of seconds":
            return type(value) in (int, float) and 0 <= value <= _LONGEST_TIME  # not for NaN
        case "a time":
            return type(value) in (int, float) and 0 <= value <= _LAST_TIME
        case "a whole number":
            return _is_number(value, _HIGHEST)
        case "true or false":
            return isinstance(value, bool)
        case "an exit status":
            return type(value) is int and abs(value) <= _HIGHEST
        case "a path or a port":
            return value is None or isinstance(value, str) or _is_number(value, _HIGHEST)
        case "a list of events":
            return isinstance(value, list) and all(map(_is_event, value))
        case "a list of users":
            return isinstance(value, list) and all(_is_number(user, _HIGHEST - 1) for user in value)
        case _:
            return isinstance(value, list) and all(map(_is_pair, value))


def _is_number(value: Any, highest: int) -> bool:
    return type(value) is int and 0 <= value <= highest


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and "event" in value and not wrong(value)


def _is_pair(value: Any) -> bool:
    """Return whether the value is the number of a process and its start time, or a file's device and inode."""
    return isinstance(value, list) and len(value) == 2 and all(_is_number(part, 1 << 62) for part in value)
