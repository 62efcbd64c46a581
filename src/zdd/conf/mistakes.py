"""Host names, paths and statuses that can match nothing, and what to write instead; loaded only for a mistake."""

from __future__ import annotations

import posixpath
import re
import socket
import unicodedata
from encodings import idna
from urllib.parse import quote, unquote_to_bytes

from zdd.conf import hosts
from zdd.conf.hosts import Mistake
from zdd.conf.units import Statuses

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)([^?#]*)")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
# Sharp s and final sigma: browsers keep them (IDNA2008), Python's codec does not (IDNA2003). The results are different
# names, which may belong to different people. Zero-width joiners, too, are kept by one and dropped by the other.
_TWO_WAYS = re.compile("[\u00df\u1e9e\u03c2]|[\u200c\u200d]")
_NOBODY = "no request asks for that host; without the key all hosts match"


def server_name(text: str) -> str:
    """Return the name as nginx matches it. Raises Mistake."""
    if text.strip() in ("_", "*", "*."):
        raise Mistake(_NOBODY)
    if not text.startswith("~") and (several := _several(text)):
        raise Mistake("each name is an item of its own", [_guess(name, hosts.SERVER_NAME) or name for name in several])
    return _name(text, hosts.SERVER_NAME)


def header(text: str) -> str:
    """Return the name as a Host header has it. Raises Mistake."""
    if several := _several(text):
        raise Mistake("it is one name", _guess(several[0], hosts.HEADER))
    if hosts.is_pattern(text):
        raise Mistake("a request is for one name, not for a pattern", hosts.asked([text]))
    return _name(text, hosts.HEADER)


def listen(text: str) -> str:
    """
    Return the address with its IPv6 address in its usual form. Raises Mistake if the brackets contain none.

    >>> listen("[0:0::0]:80")
    '[::]:80'
    """
    host, _, port = text.rpartition(":")
    if not _is_address_6(host.strip("[]")):
        raise Mistake("that is no address")
    return f"[{socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host.strip('[]')))}]:{port}"


def route(text: str) -> None:
    """Raise Mistake for a path that nginx never matches, as it compares decoded and simplified paths."""
    path, why = _without_host(text, "the host goes into host")
    if re.search(hosts.REGEX, path):
        raise Mistake("it is a path prefix, not a regular expression")
    if re.search("[?#]", path):
        path, why = re.split("[?#]", path, maxsplit=1)[0], "nginx compares the path alone"
    if "*" in path:
        path, why = re.sub(r"(?<=.)(/?)\*+$", r"\1", path), "all paths that begin so are routed, without a *"
    if re.search("%[0-9A-Fa-f]{2}", path):
        path, why = unquote_to_bytes(path).decode(errors="replace"), "nginx compares the decoded path"
    if re.search(hosts.UNTIDY, path):
        simple = "/" + posixpath.normpath(path).lstrip("/")
        path = simple + "/" * (path.endswith("/") and simple != "/")
        why = why or "nginx compares the path without these"
    raise Mistake(why, path if re.fullmatch(hosts.ROUTE, path) else None)


def request_path(text: str) -> None:
    """Raise Mistake for a path that no request can have."""
    path, why = _without_host(text, "the host goes into health_host")
    if "#" in path:
        path, why = path.partition("#")[0], "browsers do not send what follows #"
    path = quote(path, safe="".join(map(chr, range(33, 127))))
    raise Mistake(why, path if re.fullmatch(hosts.REQUEST_PATH, path) else None)


def statuses(text: str) -> None:
    """Raise Mistake for text that is no list of statuses, or has only statuses that do not end a request."""
    parts = [_range(part) for part in re.split(r"[\s,;|]+", text.strip("[] ")) if part]
    if parts and all(re.fullmatch("1[0-9]{2}(-1[0-9]{2})?", part) for part in parts):
        raise Mistake("after a 1xx status the answer follows")
    try:
        instead = str(Statuses.parse(",".join(parts)))
    except ValueError:
        instead = None
    raise Mistake(None, instead)


def _range(part: str) -> str:
    if match := re.fullmatch("([1-5])[xX]{2}", part):
        return f"{match[1]}00-{match[1]}99"
    low, dash, high = part.partition("-")
    return f"{high}-{low}" if dash and low > high else part


def _without_host(text: str, why: str) -> tuple[str, str | None]:
    """Return the path of a text that may be a URL, with `why` if it is a URL; add a missing first slash."""
    text = text.strip()
    if url := _URL.match(text):
        return text[url.start(2) :] or "/", why
    return (text if text.startswith(("/", "^", "~")) else f"/{text}"), None


def _name(text: str, pattern: str) -> str:
    """Return the name if only its spelling differs. Raises Mistake if it is no name."""
    plain = _plain(text)
    if _is_name(plain, pattern):
        return plain
    raise Mistake(_why(plain, pattern), _guess(text, pattern))


def _plain(name: str) -> str:
    """Return the name in ASCII and without a final dot. Raises Mistake."""
    if not name.isascii():
        name = _to_ascii(name)
    return name[:-1] if name.endswith(".") and not name.startswith("~") else name


def _to_ascii(name: str) -> str:
    """Return the name with punycode for each label that needs it. Raises Mistake."""
    labels = [
        unicodedata.normalize("NFC", label.lower() if not label.isascii() else label) for label in _DOTS.split(name)
    ]
    if match := _TWO_WAYS.search(name):
        letter = match[0] if match[0].isprintable() else f"U+{ord(match[0]):04X}"
        why = f"a name with {letter} can be spelled in two ways, so write the punycode that is registered"
        raise Mistake(why, ".".join(map(_punycode, labels)) if letter == match[0] else None)
    return ".".join(label if label.isascii() else _label(label) for label in labels)


def _label(label: str) -> str:
    try:
        encoded = idna.ToASCII(label).decode("ascii")
    except UnicodeError:
        encoded = ""
    if not re.fullmatch("[A-Za-z0-9_-]{1,63}", encoded):  # for example, a fullwidth slash becomes a slash
        raise Mistake(f"{label} cannot be part of a name")
    return encoded


def _punycode(label: str) -> str:
    """Return the label as browsers encode it."""
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def _is_name(name: str, pattern: str) -> bool:
    address = re.match(r"\[([^]]*)\]", name)
    return bool(re.fullmatch(pattern, name)) and not (address and not _is_address_6(address[1]))


def _guess(text: str, pattern: str) -> str | None:
    """Return the name that was probably meant."""
    name = text.strip().strip("\"'")
    if url := _URL.match(name):
        name = url[1]
    name = re.split("[/?#]", name, maxsplit=1)[0].rpartition("@")[2]
    name = f"[{name}]" if _is_address_6(name) else name
    if pattern is hosts.SERVER_NAME:
        name = re.sub(r":[0-9]*$", "", name)
    try:
        name = _plain(re.sub(r"\.{2,}", ".", name))
    except Mistake as mistake:
        return str(mistake.instead) if mistake.instead else None
    return name if _is_name(name, pattern) else None


def _why(name: str, pattern: str) -> str | None:
    """Return what is wrong with a name."""
    if "$" in name:
        return "nginx knows no variables there"
    if _URL.match(name):
        return "it is a name, not a URL"
    if "/" in name:
        return "a path goes into path"
    if "*" in name:
        return "nginx takes a * for the whole first or the whole last part: *.shop.test, www.shop.*"
    if _is_address_6(name):
        return "write such an address in brackets"
    if re.fullmatch(r"[0-9.]+|\[.*", name):
        return "that is no address"
    if pattern is hosts.SERVER_NAME and re.search(r":[0-9]+$", name):
        return "a port goes into listen"
    if len(name) > 253 or any(len(label) > 63 for label in name.split(".")):
        return "a name may have 253 characters, and each part between its dots 63"
    return "a name has no empty part between dots" if ".." in name else None


def _several(text: str) -> list[str]:
    names = [name for name in re.split(r"[\s,;]+", text) if name]
    return names if len(names) > 1 else []


def _is_address_6(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return False
    return True
