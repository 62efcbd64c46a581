"""Files and words that strangers may have written: of any bytes, of any length, without an end."""

from __future__ import annotations

import errno
import os
import stat

_LARGEST, _PART = 64 << 20, 1 << 13  # bytes
_MOST_DIGITS = 18
_LARGEST_NUMBER = 1e18  # more than any time, size or count
_TYPES: dict[str, type] = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict, "Sequence": list}
HIGHEST_PID = (1 << 31) - 1


class NotText(OSError, ValueError):  # noqa: N818 -- what the file is
    """The file is not UTF-8; the message says in which line."""


def data(path: str, most: int = _LARGEST) -> bytes:
    """
    Return the content of a regular file. A FIFO does not block this, and of a device or a larger file nothing is read.

    Raises OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        content, part = bytearray(), max(_PART, status.st_size + 1)
        while max(status.st_size, len(content)) <= most and (read := os.read(fd, part)):
            content += read
        if max(status.st_size, len(content)) > most:
            raise OSError(errno.EFBIG, f"it has more than {most >> 10} KiB", path)
        return bytes(content)
    finally:
        os.close(fd)


def text(path: str, errors: str = "strict") -> str:
    """
    Return the text of such a file, with each end of a line as a newline.

    With the `errors` "replace" other bytes than UTF-8 are replaced. Raises OSError: NotText is one, too.
    """
    content = data(path)
    try:
        return content.decode(errors=errors).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"it is not UTF-8: line {line} has the byte 0x{content[error.start]:02x}"
        raise NotText(errno.EILSEQ, what, path) from None


def number(word: str | bytes, most: int = 10**_MOST_DIGITS) -> int | None:
    r"""
    Return the whole number that a word says in ASCII digits, None for anything else and for more than `most`.

    >>> number("12"), number("\xb2"), number("-1"), number("9" * 5000), number("70000", 65535)
    (12, None, None, None, None)
    """
    digits = word.isdigit() and word.isascii() and len(word) <= _MOST_DIGITS
    value = int(word) if digits else most + 1
    return value if value <= most else None


def has_type(value: object, annotation: str) -> bool:
    """
    Return whether a JSON value has the annotated type. Of a list's items, only words and numbers are checked.

    >>> has_type([1], "list[int]"), has_type(None, "str | None"), has_type(True, "int"), has_type(1, "float")
    (True, True, False, True)
    """
    name, _, inside = annotation.removesuffix(" | None").partition("[")
    if value is None:
        return annotation.endswith("| None")
    if name in ("float", "int"):
        kinds = (int, float) if name == "float" else (int,)
        return type(value) in kinds and abs(value) <= _LARGEST_NUMBER  # type: ignore[arg-type]  # it is a number
    of = _TYPES.get(inside.removesuffix("]"))
    items = value if isinstance(value, list) and of else ()
    return isinstance(value, _TYPES[name]) and all(isinstance(item, of or object) for item in items)
