"""What a folder is taken for, and what is proposed for it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from zdd.conf.read import load
from zdd.conf.services import RunService
from zdd.init.folder import Folder
from zdd.init.proposal import toml
from zdd.init.propose import propose

MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")\n'
SETTINGS = """\
WSGI_APPLICATION = 'mysite.wsgi.application'
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
"""
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
PACKAGE = '{"main": "server.js", "dependencies": {"express": "^4"}, "scripts": {"start": "node server.js"}}'
PIP = ".venv/bin/python -m pip install -q"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    path.mkdir()
    return path


def proposed(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    """The file for a folder with these files; zdd understands it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    proposal = propose(Folder(folder))
    assert proposal is not None
    text = toml(proposal, folder.name, 8080, is_repository=False, has_env=".env" in files)
    (folder / "deploy.toml").write_text(text)
    assert load(folder / "deploy.toml").services
    return tomllib.loads(text)


def run(folder: Path, files: dict[str, str]) -> str:
    return str(proposed(folder, files)["service"]["web"]["run"])


def test_a_django_project_is_known_by_its_settings(folder: Path) -> None:
    found = proposed(folder, {"manage.py": MANAGE, "mysite/settings.py": SETTINGS, "requirements.txt": "Django>=5\n"})

    assert found["service"]["web"] == {"run": ".venv/bin/gunicorn mysite.wsgi --bind fd://{fd}"}
    assert found["zdd"] == {"before_start": ".venv/bin/python manage.py migrate --noinput"}
    assert found["release"] == {
        "source": ".",
        "build": ["python3 -m venv --clear .venv", f"{PIP} -r requirements.txt", f"{PIP} gunicorn"],
        "shared": ["db.sqlite3"],
    }
    assert "\n# Without STATIC_ROOT in the settings nobody serves static files" in (folder / "deploy.toml").read_text()


def test_what_django_s_settings_say_of_files_and_hosts_is_taken_over(folder: Path) -> None:
    settings = (
        SETTINGS
        + 'ALLOWED_HOSTS = ["*.cdn.test", ".shop.example.org", "shop.test"]\nMEDIA_ROOT = BASE_DIR / "media"\n'
        + 'STATIC_URL = "static/"\nSTATIC_ROOT = BASE_DIR / "static"\n'
    )
    found = proposed(
        folder, {"manage.py": MANAGE, "mysite/settings/base.py": settings, "mysite/settings/__init__.py": ""}
    )

    assert found["service"]["web"]["health_host"] == "shop.example.org"
    assert found["release"]["shared"] == ["db.sqlite3", "media/"]
    assert found["release"]["assets"] == ["static/"]
    assert found["release"]["build"][-1] == ".venv/bin/python manage.py collectstatic --noinput"


@pytest.mark.parametrize("hosts", ["[]", '["localhost", "shop.test"]', '["*"]', "os.environ['HOSTS'].split()"])
def test_a_django_that_answers_to_localhost_needs_no_host(folder: Path, hosts: str) -> None:
    files = {"manage.py": MANAGE, "mysite/settings.py": SETTINGS + f"ALLOWED_HOSTS = {hosts}\n"}

    assert "health_host" not in proposed(folder, files)["service"]["web"]


def test_a_django_of_asgi_gets_the_server_that_it_has(folder: Path) -> None:
    settings = SETTINGS + 'ASGI_APPLICATION = "mysite.asgi.application"\n'
    files = {"manage.py": MANAGE, "mysite/settings.py": settings, "requirements.txt": "django\nuvicorn[standard]\n"}

    assert run(folder, files) == ".venv/bin/uvicorn mysite.asgi:application --fd {fd}"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"main.py": FASTAPI}, "uvicorn main:app --fd {fd}"),
        (
            {"app/main.py": FASTAPI, "tests/conftest.py": FASTAPI, ".venv/x.py": FASTAPI},
            "uvicorn app.main:app --fd {fd}",
        ),
        ({"src/shop/__init__.py": "api: FastAPI = fastapi.FastAPI()"}, "uvicorn shop:api --fd {fd} --app-dir src"),
        ({"web.py": "app = Starlette(routes=[])"}, "uvicorn web:app --fd {fd}"),
        ({"web.py": "app = Flask(__name__)"}, "gunicorn web:app --bind fd://{fd}"),
        (
            {"shop/__init__.py": "from flask import Flask\ndef create_app():\n    pass\n"},
            "gunicorn 'shop:create_app()' --bind fd://{fd}",
        ),
    ],
)
def test_an_application_is_found_where_it_is_made(folder: Path, files: dict[str, str], command: str) -> None:
    assert run(folder, files) == f".venv/bin/{command}"


@pytest.mark.parametrize(
    ("files", "build"),
    [
        ({}, ["python3 -m venv --clear .venv", f"{PIP} fastapi uvicorn"]),
        ({"requirements.txt": "fastapi\nuvicorn\n"}, ["python3 -m venv --clear .venv", f"{PIP} -r requirements.txt"]),
        (
            {"pyproject.toml": '[project]\nname = "shop"\ndependencies = ["FastAPI[all]>=1", "uvicorn"]\n'},
            ["python3 -m venv --clear .venv", f"{PIP} ."],
        ),
        ({"uv.lock": ""}, ["uv sync --frozen --no-dev", "uv pip install -q uvicorn"]),
        (
            {"poetry.lock": "", "pyproject.toml": '[tool.poetry.dependencies]\nuvicorn = "*"\n'},
            ["POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --only main --no-interaction"],
        ),
        ({"Pipfile.lock": "{}", "Pipfile": 'uvicorn = "*"\n'}, ["PIPENV_VENV_IN_PROJECT=1 pipenv sync"]),
    ],
)
def test_a_python_release_gets_an_environment_of_its_own(folder: Path, files: dict[str, str], build: list[str]) -> None:
    assert proposed(folder, {"main.py": FASTAPI} | files)["release"]["build"] == build


@pytest.mark.parametrize(
    ("files", "command", "build"),
    [
        ({"package.json": PACKAGE}, "node server.js", ["npm install --omit=dev"]),
        ({"package.json": PACKAGE, "package-lock.json": ""}, "node server.js", ["npm ci --omit=dev"]),
        (
            {"package.json": '{"dependencies": {"next": "15"}, "scripts": {"build": "next build"}}', "yarn.lock": ""},
            "node node_modules/next/dist/bin/next start",
            ["yarn install --frozen-lockfile", "yarn run build"],
        ),
        (
            {
                "package.json": '{"dependencies": {"@nestjs/core": "1"}, "scripts": {"build": "x"}}',
                "pnpm-lock.yaml": "",
            },
            "node dist/main",
            ["pnpm install --frozen-lockfile", "pnpm run build"],
        ),
        ({"package.json": '{"dependencies": {"koa": "1"}}', "app.js": ""}, "node app.js", ["npm install --omit=dev"]),
        ({"package.json": '{"scripts": {"start": "x && y"}}'}, "npm start", ["npm install --omit=dev"]),
    ],
)
def test_a_node_project_is_run_and_built_as_it_says(
    folder: Path, files: dict[str, str], command: str, build: list[str]
) -> None:
    found = proposed(folder, files)

    assert found["service"]["web"]["run"] == command
    assert found["service"]["web"]["env"] == {"NODE_ENV": "production"}
    assert found["release"]["build"] == build


def test_rails_is_known_and_so_is_rack(folder: Path) -> None:
    rack = proposed(folder, {"config.ru": "run App", "Gemfile": "gem 'puma'"})
    rails = proposed(folder, {"config/application.rb": "", "config/master.key": ""})

    for found in (rack, rails):
        assert found["service"]["web"]["run"] == "bundle exec puma -b unix://{socket}"
        assert found["service"]["web"]["socket"] == "unix"
    assert "zdd" not in rack
    assert rails["zdd"]["before_start"] == "RAILS_ENV=production bundle exec rails db:migrate"
    assert "config/master.key" in rails["release"]["shared"]


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("gunicorn mysite.wsgi --log-file -", {"run": ".venv/bin/gunicorn mysite.wsgi --log-file - --bind fd://{fd}"}),
        ("gunicorn -b 0.0.0.0:$PORT a:b", {"run": ".venv/bin/gunicorn a:b --bind fd://{fd}"}),
        ("uvicorn a:b --host=0.0.0.0 --port $PORT", {"run": ".venv/bin/uvicorn a:b --fd {fd}"}),
        ("daphne -b 0.0.0.0 -p ${PORT:-80} a:b", {"run": ".venv/bin/daphne a:b --fd {fd}"}),
        ("granian --port $PORT a:b", {"run": ".venv/bin/granian a:b --uds {socket}", "socket": "unix"}),
        ("bin/serve --port $PORT", {"run": "sh -c 'exec bin/serve --port $PORT'", "socket": "tcp"}),
        ("cd x && ./serve", {"run": "sh -c 'cd x && ./serve'", "socket": "tcp"}),
        ("uvicorn a:b --workers $N", {"run": "sh -c 'exec .venv/bin/uvicorn a:b --workers $N'", "socket": "tcp"}),
        ("bin/serve", {"run": "bin/serve", "socket": "tcp"}),
    ],
)
def test_a_procfile_s_web_process_is_told_of_its_socket(folder: Path, line: str, keys: dict[str, str]) -> None:
    assert proposed(folder, {"Procfile": f"web: {line}\n", "x.py": ""})["service"]["web"] == keys


def test_a_procfile_s_other_processes_are_workers_and_release_comes_before(folder: Path) -> None:
    procfile = "release: ./migrate\nweb: bin/serve\nWorker_1: celery -A shop worker\n"
    found = proposed(folder, {"Procfile": procfile, "main.py": FASTAPI})

    assert found["service"]["worker_1"] == {"run": ".venv/bin/celery -A shop worker", "socket": "none"}
    assert found["zdd"]["before_start"] == "./migrate"
    assert found["release"]["build"][0] == "python3 -m venv --clear .venv"


def test_a_folder_whose_name_fits_no_project_gets_another(folder: Path) -> None:
    odd = folder / "My Shop!"
    odd.mkdir()

    assert proposed(odd, {"main.py": FASTAPI})["zdd"]["project"] == "my-shop"


@pytest.mark.parametrize(
    ("package", "keys"),
    [
        ({"devDependencies": {"vite": "6"}}, {"static": "dist", "spa": True}),
        ({"dependencies": {"react-scripts": "5"}}, {"static": "build", "spa": True}),
        ({"dependencies": {"astro": "5"}}, {"static": "dist"}),
        ({"devDependencies": {"@11ty/eleventy": "3"}}, {"static": "_site"}),
    ],
)
def test_what_a_build_makes_of_files_alone_is_a_static_site(
    folder: Path, package: dict[str, object], keys: dict[str, object]
) -> None:
    made = {"scripts": {"build": "make", "start": "serve a preview"}, **package}

    found = proposed(folder, {"package.json": json.dumps(made), "package-lock.json": "{}", ".env": "A=1"})

    assert found["service"] == {"site": keys}
    assert found["release"] == {"source": ".", "build": ["npm ci", "npm run build"]}


@pytest.mark.parametrize("server", ["express", "@sveltejs/kit", "@astrojs/node", "next"])
def test_a_site_with_a_server_is_no_static_one(folder: Path, server: str) -> None:
    made = {"scripts": {"build": "make", "start": "node server.js"}, "dependencies": {"vite": "6", server: "1"}}

    assert "run" in proposed(folder, {"package.json": json.dumps(made)})["service"]["web"]


def test_nginx_serves_what_next_has_built_for_browsers(folder: Path) -> None:
    made = {"scripts": {"build": "next build"}, "dependencies": {"next": "15"}}

    found = proposed(folder, {"package.json": json.dumps(made)})

    assert found["release"]["assets"] == {"/_next/static": ".next/static"}


def test_variables_in_a_file_are_read(folder: Path) -> None:
    web = load_web(folder, {"main.py": FASTAPI, ".env": "A=1\n"})

    assert web.env_file == folder / ".env"


def load_web(folder: Path, files: dict[str, str]) -> RunService:
    proposed(folder, files)
    web = load(folder / "deploy.toml").services["web"]
    assert isinstance(web, RunService)
    return web


@pytest.mark.parametrize(
    "files", [{}, {"README.md": "x"}, {"x.py": "print(1)"}, {"package.json": "{"}, {"Procfile": ""}]
)
def test_of_other_folders_nothing_is_known(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)

    assert propose(Folder(folder)) is None
