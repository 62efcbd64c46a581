"""Python projects: Django, and applications for a WSGI or ASGI server."""

from __future__ import annotations

import re
import shutil

from zdd.init.folder import Folder
from zdd.init.proposal import Proposal, Service

BIN = ".venv/bin/"
PROGRAMS = ("gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "celery", "flask", "python", "python3")

_GUNICORN = f"{BIN}gunicorn {{app}} --bind fd://{{{{fd}}}}"
_UVICORN = f"{BIN}uvicorn {{app}} --fd {{{{fd}}}}"
_APP = re.compile(r"(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(FastAPI|Starlette|Litestar|Quart|Flask)\(")
_FACTORY = re.compile(r"(?m)^def (create_app|make_app)\(\s*\)")


def django(folder: Folder) -> Proposal | None:
    """Return a proposal for a Django project, None for any other."""
    manage = folder.text("manage.py")
    module = re.search(r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)", manage)
    if not module:
        return None
    settings = _settings(folder, module[1])
    asgi = re.search(r"(?m)^ASGI_APPLICATION\s*=\s*['\"]([\w.]+)\.\w+['\"]", settings)
    wsgi = re.search(r"(?m)^WSGI_APPLICATION\s*=\s*['\"]([\w.]+)\.\w+['\"]", settings)
    if asgi and "uvicorn" in folder.requirements | _installed(folder):
        server, run = "uvicorn", _UVICORN.format(app=f"{asgi[1]}:application")
    else:
        server, run = "gunicorn", _GUNICORN.format(app=wsgi[1] if wsgi else f"{module[1].partition('.')[0]}.wsgi")
    manage_py = f"{BIN}python manage.py"
    build = environment(folder, "django", server)
    if re.search(r"(?m)^STATIC_ROOT\s*=", settings):
        build.append(f"{manage_py} collectstatic --noinput")
    shared = re.findall(r"['\"/]([\w-]+\.(?:sqlite3?|db))['\"]", settings)
    if media := re.search(r"(?m)^MEDIA_ROOT\s*=.*['\"/]([\w.-]+)/?['\"]", settings):
        shared.append(f"{media[1]}/")
    comments = [] if "sqlite" not in settings or shared else ["Where is the database's file? It belongs in shared."]
    if not re.search(r"(?m)^STATIC_ROOT\s*=", settings):
        comments.append("Without STATIC_ROOT in the settings nobody serves static files, those of the admin neither.")
    keys: dict[str, object] = {"run": run}
    if host := _allowed_host(settings):
        keys["health_host"] = host
    service = Service("web", keys, {"health_host": "the first of ALLOWED_HOSTS"})
    proposal = Proposal("Django", [service], build, list(dict.fromkeys(shared)), _assets(settings), comments=comments)
    proposal.before_start = f"{manage_py} migrate --noinput"
    return proposal


def application(folder: Folder) -> Proposal | None:
    """Return a proposal for a FastAPI, Starlette, Litestar, Quart or Flask application, None if there is none."""
    for name in folder.sources:
        text = folder.text(name)
        base, module = ("src", name[4:]) if name.startswith("src/") else ("", name)
        module = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if app := _APP.search(text):
            return _served(folder, f"{module}:{app[1]}", app[2], base)
        if (factory := _FACTORY.search(text)) and "Flask" in text:
            return _served(folder, f"'{module}:{factory[1]}()'", "Flask", base)
    return None


def _served(folder: Folder, where: str, framework: str, base: str) -> Proposal:
    """Return the proposal for the application that is `where` servers look for it (`main:app`), below `base`."""
    wsgi = framework == "Flask"
    run = (_GUNICORN if wsgi else _UVICORN).format(app=where)
    if base:
        run += f" --{'chdir' if wsgi else 'app-dir'} {base}"
    build = environment(folder, framework.lower(), "gunicorn" if wsgi else "uvicorn")
    return Proposal(framework, [Service("web", {"run": run})], build)


def environment(folder: Folder, framework: str, server: str) -> list[str]:
    """Return the commands that create the release's own environment in .venv."""
    missing = [] if server in folder.requirements else [server]
    if folder.has("uv.lock"):
        return ["uv sync --frozen --no-dev", *(f"uv pip install -q {name}" for name in missing)]
    pip = f"{BIN}python -m pip install -q"
    if folder.has("poetry.lock"):
        build = ["POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --only main --no-interaction"]
    elif folder.has("Pipfile.lock"):
        build = ["PIPENV_VENV_IN_PROJECT=1 pipenv sync"]
    else:
        build = [f"{_python(folder)} -m venv --clear .venv"]
        if folder.has("requirements.txt"):
            build.append(f"{pip} -r requirements.txt")
        elif "project" in folder.pyproject:
            build.append(f"{pip} .")
        else:
            missing.insert(0, framework)
    return [*build, *([f"{pip} {' '.join(missing)}"] if missing else [])]


def _settings(folder: Folder, module: str) -> str:
    """Return the text of Django's settings, a module or a package."""
    path = module.replace(".", "/")
    beside = [name for name in folder.sources if name.startswith(f"{path.rpartition('/')[0]}/") and "settings" in name]
    return "\n".join(folder.text(name) for name in dict.fromkeys([f"{path}.py", f"{path}/__init__.py", *beside]))


def _allowed_host(settings: str) -> str | None:
    """Return a host that Django answers to, if it does not answer to localhost."""
    setting = re.search(r"(?m)^ALLOWED_HOSTS\s*=\s*\[([^]]*)\]", settings)
    hosts = re.findall(r"['\"]\.?([\w.*-]+)['\"]", setting[1]) if setting else []
    plain = [host for host in hosts if "*" not in host]  # a request has one plain host
    return plain[0] if plain and not {"*", "localhost"} & set(hosts) else None


def _assets(settings: str) -> list[str]:
    """Return the folder of static files if its last part equals that of its URL, so that nginx can serve it."""
    root = re.search(r"(?m)^STATIC_ROOT\s*=.*['\"/]([\w.-]+)/?['\"]", settings)
    url = re.search(r"(?m)^STATIC_URL\s*=\s*['\"]/?([\w.-]+)/?['\"]", settings)
    return [f"{root[1]}/"] if root and url and root[1] == url[1] else []


def _installed(folder: Folder) -> set[str]:
    """Return the programs in the project's existing environment."""
    return {path.name for where in (".venv", "venv") for path in (folder.path / where / "bin").glob("*")}


def _python(folder: Folder) -> str:
    """Return the Python version of the project's existing environment, if that command exists."""
    for name in (".venv/pyvenv.cfg", "venv/pyvenv.cfg"):
        if version := re.search(r"(?m)^version(?:_info)?\s*=\s*(\d+\.\d+)", folder.text(name)):
            return f"python{version[1]}" if shutil.which(f"python{version[1]}") else "python3"
    return "python3"
