"""From a clone to the first deploy: init, deploy, a request. The packages come from where pip and npm get theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .code import IDENTITY
from .project import BIN, Project, request

DJANGO = {
    "requirements.txt": "django\ngunicorn\n",
    "manage.py": """\
import os, sys
from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
execute_from_command_line(sys.argv)
""",
    "mysite/__init__.py": "",
    "mysite/settings.py": """\
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "of a test"
ALLOWED_HOSTS = ["shop.example.org"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles"]
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "files"]
""",
    "files/hello.txt": "static hello",
    "mysite/urls.py": """\
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(f"hello from Django, {User.objects.count()} users"))]
""",
    "mysite/wsgi.py": """\
import os
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_wsgi_application()
""",
}
FASTAPI = {
    "requirements.txt": "fastapi\nuvicorn\n",
    "app/__init__.py": "",
    "app/main.py": """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello():
    return "hello from FastAPI"
""",
}
EXPRESS = {
    "package.json": """\
{"name": "shop", "main": "server.js", "scripts": {"start": "node server.js"}, "dependencies": {"express": "^4"}}
""",
    "server.js": """\
const app = require('express')();
app.get('/', (request, response) => response.send('hello from Express'));
app.listen(process.env.PORT || 3000);
""",
}


class Clone(Project):
    """A clone of a repository; where zdd keeps things is left to it."""

    def __init__(self) -> None:
        super().__init__()
        self.origin = self.folder.with_name(f"{self.folder.name}.git")

    def of(self, files: dict[str, str]) -> None:
        """Clone a repository with these files into the project's folder."""
        work = self.folder / "work"
        for name, text in files.items():
            self.write(f"work/{name}", text)
        git("init", "-q", "-b", "main", cwd=work)
        git("add", "-A", cwd=work)
        git("commit", "-q", "-m", "1", cwd=work)
        shutil.move(work, self.origin)
        git("clone", "-q", str(self.origin), ".", cwd=self.folder)

    @property
    def listening(self) -> int:
        listen = tomllib.loads((self.folder / "deploy.toml").read_text())["nginx"]["listen"]
        return int(listen.rpartition(":")[2])

    def end(self) -> None:
        super().end()
        home = Path.home() / ".local/state/zdd"
        for place in (Path("/var/lib/zdd"), Path("/run/zdd"), home):
            shutil.rmtree(place / self.folder.name, ignore_errors=True)
        shutil.rmtree(self.origin, ignore_errors=True)


@pytest.fixture
def clone() -> Iterator[Clone]:
    made = Clone()
    yield made
    made.end()


def git(*args: str, cwd: Path) -> None:
    subprocess.run(["git", *args], cwd=cwd, env=os.environ | IDENTITY, check=True, capture_output=True)


def first_deploy(clone: Clone) -> None:
    assert "is written. Next: `zddeploy check`" in clone.zddeploy("init", "--yes").stdout
    clone.zddeploy(timeout=300)


def test_a_django_project(clone: Clone) -> None:
    clone.of(DJANGO)
    first_deploy(clone)

    answer = request(clone.listening, "/", "shop.example.org")
    assert "hello from Django, 0 users" in answer  # migrated
    assert "static hello" in request(clone.listening, "/static/hello.txt")

    clone.zddeploy()  # the second release has the same database
    assert "0 users" in request(clone.listening, "/", "shop.example.org")


def test_a_fastapi_project(clone: Clone) -> None:
    clone.of(FASTAPI)
    first_deploy(clone)

    assert "hello from FastAPI" in request(clone.listening)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_an_express_project(clone: Clone) -> None:
    clone.of(EXPRESS)
    first_deploy(clone)

    assert "hello from Express" in request(clone.listening)


def test_what_is_there_is_never_overwritten(project: Project) -> None:
    project.write("main.py", "app = FastAPI()\n")
    for name in ("deploy.toml", "deploy.conf"):
        project.write(name, "mine")
        assert f"{name} exists already" in project.zddeploy("init", "--yes", code=2).stderr
        assert (project.folder / name).read_text() == "mine"
        (project.folder / name).unlink()


def test_without_yes_and_without_a_terminal_it_shows_and_writes_nothing(project: Project) -> None:
    project.write("main.py", "app = FastAPI()\n")

    result = project.zddeploy("init", code=2)

    assert 'run = ".venv/bin/uvicorn main:app --fd {fd}"' in result.stdout
    assert "there is no terminal to ask" in result.stderr
    assert not (project.folder / "deploy.toml").exists()


@pytest.mark.parametrize(("answers", "written"), [("y\n", True), ("n\n", False)])
def test_on_a_terminal_it_asks(project: Project, answers: str, written: bool) -> None:
    project.write("main.py", "app = FastAPI()\n")

    shown = typed(project, answers)

    assert "Write this to" in shown
    assert (project.folder / "deploy.toml").exists() == written
    (project.folder / "deploy.toml").unlink(missing_ok=True)


def test_of_what_it_does_not_know_it_asks_for_the_command(project: Project) -> None:
    told = project.zddeploy("init", "--yes", code=2).stderr
    assert "is not a project of a known kind" in told
    assert 'static = "FOLDER"' in told

    shown = typed(project, "./serve --port {port}\ny\n")

    assert "Which command starts the app" in shown
    text = (project.folder / "deploy.toml").read_text()
    assert 'run = "./serve --port {port}"' in text
    assert 'socket = "tcp"' in text
    (project.folder / "deploy.toml").unlink()


def typed(project: Project, answers: str) -> str:
    """What is shown when somebody types these answers at a terminal."""
    command = ["script", "-qec", f"{BIN}/zddeploy init", "/dev/null"]
    run = subprocess.run(
        command, cwd=project.folder, input=answers, capture_output=True, text=True, check=False, timeout=60
    )
    return run.stdout
