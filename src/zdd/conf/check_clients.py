"""What [nginx] says of clients and of the proxies before them, as far as its keys contradict each other."""

from collections.abc import Iterator

from zdd.conf.document import Document
from zdd.conf.nginx_section import NginxSection
from zdd.conf.refusals import Refusal
from zdd.host import foreign

OWN_TEXT_ONLY = ("trusted_proxies", "proxy_protocol", "gzip", "server_include")

_LARGEST = 1 << 18  # bytes of lines for a server block


def nginx(document: Document, nginx: NginxSection) -> Iterator[Refusal]:
    """Check these keys of [nginx]."""
    if nginx.proxy_protocol and nginx.trusted_proxies == []:
        proxies, protocol = document.setting("trusted_proxies", "none"), document.setting("proxy_protocol", True)
        what = f"{protocol} and {proxies} exclude each other: nobody's line would be believed"
        yield document.error("nginx", what, key="proxy_protocol")


def server_lines(document: Document, nginx: NginxSection) -> str:
    """
    Return the lines of the file that server_include names, "" without the key.

    Raises Refusal if it cannot be read, or is not text in UTF-8.
    """
    path = nginx.server_include
    if path is None:
        return ""
    try:
        text = foreign.data(str(path), _LARGEST).decode("utf-8-sig")
    except OSError as error:
        what = f"cannot read server_include {path}: {error.strerror}"
        raise document.error("nginx", what, key="server_include") from None
    except UnicodeDecodeError as error:
        what = f"server_include {path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}"
        raise document.error("nginx", what, key="server_include") from None
    if "\0" in text:
        raise document.error("nginx", f"server_include {path} is no text: it has a zero byte", key="server_include")
    return text.replace("\r\n", "\n")
