"""
Browsers that ask for the pages of a static site while it is deployed, at a fixed rate whatever the answers take.

Each page says its version, and all versions of a page have one size, as only then a wrong 304 is possible. A browser
remembers what it got, and asks whether that has changed, by the tag or by the date, or for a part of it. It also asks
for what nginx finds by several looks: a page that is a file in every second version and a folder in the others, and one
that no version has.
"""

from __future__ import annotations

import gzip
import http.client
import random
import threading
import time
from typing import NamedTuple

from .project import Project
from .static_code import Reply

PAGES = ("/", "/style.css", "/big.txt", "/same.txt", "/packed.css")
ABOUT, MISSING = "/about", "/missing"
_BIG = 4000  # times that the version stands in the big page
_REDIRECTED = b"""\
<html>\r
<head><title>301 Moved Permanently</title></head>\r
<body>\r
<center><h1>301 Moved Permanently</h1></center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
"""
_RATE = 60  # requests a second of one browser


def body_of(page: str, version: int) -> bytes:
    """Return what a page is in a version, uncompressed; one page is the same in all of them."""
    said = "same" if page == "/same.txt" else f"{version:04}"
    return f"{page} {said}\n".encode() * (_BIG if page == "/big.txt" else 1)


def is_about_a_folder(version: int) -> bool:
    """Return whether a version has /about as about/index.html, and not as about.html."""
    return version % 2 == 0


def packed(version: int) -> bytes:
    """Return the compressed style sheet; its size is the same for all versions, too."""
    return gzip.compress(body_of("/packed.css", version), compresslevel=0, mtime=0)


class Known(NamedTuple):
    """What a browser has of a page."""

    version: int | None  # None for the page that never changes
    tag: str
    date: str


class Timeline:
    """Which versions may serve when: during a deploy the old and the new one."""

    def __init__(self, first: int) -> None:
        self._spans: list[tuple[float, float, int]] = [(0.0, float("inf"), first)]

    def begin(self, version: int) -> None:
        self._spans.append((time.monotonic(), float("inf"), version))

    def end(self) -> None:
        begun, _, version = self._spans[-2]
        self._spans[-2] = (begun, time.monotonic(), version)

    def possible(self, begun: float, ended: float) -> set[int]:
        return {version for first, last, version in list(self._spans) if first <= ended and last >= begun}


class Browser(threading.Thread):
    """One of them; `failures` and `wrong` are sentences."""

    def __init__(self, project: Project, timeline: Timeline, seed: int, spa: bool = False) -> None:
        super().__init__(daemon=True)
        self.spa = spa
        self.port = project.port
        self.timeline = timeline
        self.random = random.Random(seed)
        self.known: dict[tuple[str, bool], Known] = {}
        self.done = threading.Event()
        self.failures: list[str] = []
        self.wrong: list[str] = []
        self.counts: dict[int, int] = {}

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        due = time.monotonic()
        while not self.done.is_set():
            due += 1 / _RATE
            time.sleep(max(0.0, due - time.monotonic()))
            page, packs = self.random.choice((*PAGES, ABOUT, MISSING)), self.random.random() < 0.5
            headers = self._headers(page, packs) if page in PAGES else {}
            begun = time.monotonic()
            try:
                connection.request("GET", page, headers=headers)
                answer = connection.getresponse()
                reply = Reply(answer.status, {key.lower(): text for key, text in answer.getheaders()}, answer.read())
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{page} {headers}: {error!r}")
                connection.close()
                continue
            self.counts[reply.status] = self.counts.get(reply.status, 0) + 1
            possible = self.timeline.possible(begun, time.monotonic())
            if page in PAGES:
                self._judge(page, packs, headers, reply, possible)
            elif (reply.status, reply.body) not in [self._found(page, version) for version in possible]:
                self.wrong.append(f"{page}: {reply.status} {reply.body[:60]!r}, of none of {possible}")
        connection.close()

    def _headers(self, page: str, packs: bool) -> dict[str, str]:
        headers = {"Accept-Encoding": "gzip"} if packs else {}
        known = self.known.get((page, packs))
        way = self.random.choice(("plain", "tag", "date", "both", "part"))
        if known and way in ("tag", "both"):
            headers["If-None-Match"] = known.tag
        if known and way in ("date", "both"):
            headers["If-Modified-Since"] = known.date
        if way == "part":
            headers["Range"] = "bytes=3-40000"
            if known:
                headers["If-Range"] = self.random.choice((known.tag, known.date))
        return headers

    def _found(self, page: str, version: int) -> tuple[int, bytes]:
        """Return the status and body with which a version answers a page that takes several looks."""
        if page == ABOUT and is_about_a_folder(version):
            return 301, _REDIRECTED
        if page == ABOUT:
            return 200, body_of(ABOUT, version)
        return (200, body_of("/", version)) if self.spa else (404, body_of("/404.html", version))

    def _judge(self, page: str, packs: bool, headers: dict[str, str], reply: Reply, possible: set[int]) -> None:
        where = f"{page} {headers}: {reply.status} {reply.headers.get('etag')}"
        if reply.status == 304:
            known = self.known[page, packs]
            if known.version is not None and known.version not in possible:
                self.wrong.append(f"{where}, but {known.version} is none of {possible}")
            return
        if reply.status not in (200, 206):
            self.failures.append(where)
            return
        version = self._version(page, reply, possible)
        if version is None and page != "/same.txt":
            self.wrong.append(f"{where}: of none of {possible}: {reply.body[:60]!r}")
        tag, date = reply.headers["etag"], reply.headers["last-modified"]
        before = self.known.get((page, packs))
        if before and (before.tag == tag or before.date == date) and before.version != version:
            self.wrong.append(f"{where}: of {before.version} and of {version}")
        self.known[page, packs] = Known(version, tag, date)

    def _version(self, page: str, reply: Reply, possible: set[int]) -> int | None:
        """Return the version that the whole answer is of, None if it is of none that may serve."""
        if page == "/same.txt":
            return None
        is_packed, body = reply.headers.get("content-encoding") == "gzip", reply.body
        has_neighbour = is_packed and page == "/packed.css"  # else nginx has compressed the file itself
        if is_packed and not has_neighbour:
            body = gzip.decompress(body)
        for version in possible:
            whole = packed(version) if has_neighbour else body_of(page, version)
            if body == (whole[3:40001] if reply.status == 206 else whole):
                return version
        return None
