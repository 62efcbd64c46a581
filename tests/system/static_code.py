"""A static site as a project's source, and what asks for it as browsers do."""

from __future__ import annotations

import http.client
import os
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from .project import Project, service

HASHED = "assets/index-DiwrgT{}a.js"


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Site:
    """The folder `code`, with the pages in its folder dist."""

    def __init__(self, project: Project, *more: str, release: str = "", nginx: str = "", **keys: object) -> None:
        self.project = project
        self.folder = project.folder / "code"
        listen = f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n{nginx}'
        built = f'[release]\nsource = "{self.folder}"\n{release}\n'
        site = service("site", **{"static": "dist", **keys})
        project.write("deploy.toml", "\n".join([project.section(), listen, built, site, *more]))
        self.make(1)

    def make(self, version: object, pages: Mapping[str, str] = {}) -> None:
        """Make a version: index.html, a style sheet, a hashed script, and these further pages."""
        shutil.rmtree(self.folder / "dist", ignore_errors=True)
        own = {"index.html": f"<p>{version}", "style.css": f"/*{version}*/", HASHED.format(version): f"//{version}"}
        for name, text in {**own, **pages}.items():
            self.write(f"dist/{name}", text)

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.chmod(path, mode)

    def deploy(self, version: object, code: int = 0, pages: Mapping[str, str] = {}) -> str:
        """Make a version and deploy it; returns what was said."""
        self.make(version, pages)
        done = self.project.zddeploy(code=code)
        return done.stdout + done.stderr


def ask(project: Project, path: str = "/", method: str = "GET", host: str = "localhost", **headers: str) -> Reply:
    """Send one request; a header's name has _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", project.port, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers={"Host": host, **named})
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
