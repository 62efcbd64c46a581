"""
The headers of an HTTP/2 answer, as far as a health check reads them (HPACK, RFC 7541).

Huffman's code is canonical: the codes of one length follow each other, and go on from those of the length before. Only
letters that a header can have are here.
"""

from __future__ import annotations

_STATUSES = {8: "200", 9: "204", 10: "206", 11: "304", 12: "400", 13: "404", 14: "500"}  # of the static table
_NAMES = {31: "content-type", 54: "server", 33: "date", 28: "content-length"}  # what else answers have, mostly
_STATIC = 61
_CODES = {
    5: "012aceiost",
    6: " %-./3456789=A_bdfghlmnpru",
    7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: "&*,;XZ",
    10: '!"()?',
    11: "'+|",
    12: "#>",
    13: "\0$@[]~",
    14: "^}",
    15: "<`{",
    19: "\\",
}
_OTHER = "\ufffd"  # for a letter that is not in the table


class Damaged(ValueError):  # noqa: N818  (what the block is)
    """The block is no HPACK."""


class Decoder:
    """Reads the blocks of one connection, in their order: a later one may repeat what an earlier one has said."""

    def __init__(self) -> None:
        self._dynamic: list[tuple[str, str]] = []
        self._data = b""
        self._at = 0

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        """Return the headers of a block. Raises Damaged."""
        self._data, self._at, headers = block, 0, []
        while self._at < len(block):
            first = block[self._at]
            if first & 0x80:
                headers.append(self._entry(self._number(7)))
            elif first & 0xE0 == 0x20:  # the size of the dynamic table
                self._number(5)
            else:
                is_kept = bool(first & 0x40)
                index = self._number(6 if is_kept else 4)
                header = (self._entry(index)[0] if index else self._text(), self._text())
                headers.append(header)
                if is_kept:
                    self._dynamic.insert(0, header)
        return headers

    def _entry(self, index: int) -> tuple[str, str]:
        if index > _STATIC:
            if index - _STATIC > len(self._dynamic):
                raise Damaged
            return self._dynamic[index - _STATIC - 1]
        return (":status", _STATUSES[index]) if index in _STATUSES else (_NAMES.get(index, f"static-{index}"), "")

    def _number(self, bits: int) -> int:
        """Return a number that begins in the last bits of the next octet (5.1)."""
        most = (1 << bits) - 1
        number = self._octet() & most
        shift = 0
        while number >= most and shift <= 28:
            octet = self._octet()
            number, shift = number + ((octet & 0x7F) << shift), shift + 7
            if not octet & 0x80:
                break
        return number

    def _text(self) -> str:
        is_coded = bool(self._peek() & 0x80)
        length = self._number(7)
        text = self._data[self._at : self._at + length]
        self._at += length
        if len(text) < length:
            raise Damaged
        return _decoded(text) if is_coded else text.decode("latin-1")

    def _octet(self) -> int:
        octet = self._peek()
        self._at += 1
        return octet

    def _peek(self) -> int:
        if self._at >= len(self._data):
            raise Damaged
        return self._data[self._at]


def _table() -> dict[tuple[int, int], str]:
    """Return the letters by the length and the value of their codes."""
    table: dict[tuple[int, int], str] = {}
    code, before = 0, min(_CODES)
    for length, letters in _CODES.items():
        code <<= length - before
        table |= {(length, code + number): letter for number, letter in enumerate(letters)}
        code, before = code + len(letters), length
    return table


def _decoded(coded: bytes) -> str:
    """Return the text of Huffman's code; what follows a letter that is not in the table is lost."""
    table, text, length, code = _table(), "", 0, 0
    for octet in coded:
        for bit in range(7, -1, -1):
            length, code = length + 1, (code << 1) | ((octet >> bit) & 1)
            if (letter := table.get((length, code))) is not None:
                text, length, code = text + letter, 0, 0
    return text if length < 8 else text + _OTHER
