"""Recognizes a project: Ruby, Node and Procfiles here, Python in python.py."""

from __future__ import annotations

import re
import shlex

from zdd.conf.read import valid_name
from zdd.init import python, static_site
from zdd.init.folder import Folder
from zdd.init.proposal import Proposal, Service

LOOKED_FOR = "Django, FastAPI, Starlette, Litestar, Quart, Flask, Rails, Rack, package.json, Procfile"

_BUNDLE = ["bundle config set --local path vendor/bundle", "bundle install --quiet"]
_FRAMEWORKS = {"next": "Next.js", "@nestjs/core": "Nest", "express": "Express", "fastify": "Fastify", "koa": "Koa"}
# How servers get their socket: their options for an address, what replaces these, and the value of `socket`.
_SERVERS = {
    "gunicorn": (("-b", "--bind"), "--bind fd://{fd}", "fd"),
    "hypercorn": (("-b", "--bind"), "--bind fd://{fd}", "fd"),
    "uvicorn": (("--host", "--port", "--uds", "--fd"), "--fd {fd}", "fd"),
    "daphne": (("-b", "--bind", "-p", "--port", "-u", "--fd"), "--fd {fd}", "fd"),
    "granian": (("--host", "--port", "--uds"), "--uds {socket}", "unix"),
    "puma": (("-b", "--bind", "-p", "--port"), "-b unix://{socket}", "unix"),
}
_SHELL = r"[$&|;<>*`~]|^\w+="  # syntax that needs a shell


def propose(folder: Folder) -> Proposal | None:
    """Return a proposal for the project, None if it is not recognized."""
    proposals = (recognize(folder) for recognize in (python.django, python.application, _ruby, _node))
    return _procfile(folder, next(filter(None, proposals), None))


def _ruby(folder: Folder) -> Proposal | None:
    """Return a proposal for a Rails or Rack project, None for any other."""
    if not folder.has("config.ru"):
        return None
    rails = folder.has("config/application.rb")
    env = {"RACK_ENV": "production"} | ({"RAILS_ENV": "production"} if rails else {})
    keys: dict[str, object] = {"run": "bundle exec puma -b unix://{socket}", "socket": "unix", "env": env}
    comments = [] if "puma" in folder.text("Gemfile") else ["puma serves here, and the Gemfile does not have it yet."]
    if not rails:
        return Proposal("Rack", [Service("web", keys)], _BUNDLE, comments=comments)
    shared = ["log/", "storage/", *(["config/master.key"] if folder.has("config/master.key") else [])]
    build = [*_BUNDLE, "RAILS_ENV=production bundle exec rails assets:precompile"]
    before = "RAILS_ENV=production bundle exec rails db:migrate"
    return Proposal("Rails", [Service("web", keys)], build, shared, before_start=before, comments=comments)


def _node(folder: Folder) -> Proposal | None:
    """Return a proposal for a Node project, None for any other."""
    package = folder.package
    scripts, needs = folder.package_table("scripts"), folder.package_table("dependencies")
    if not package or not (needs or scripts):
        return None
    what = next((name for key, name in _FRAMEWORKS.items() if key in needs), "Node")
    if site := static_site.recognize(folder):
        return Proposal(site.what, [site.service], _node_build(folder, has_script=True))
    keys: dict[str, object] = {"run": _node_command(folder, what, scripts), "env": {"NODE_ENV": "production"}}
    assets = {"/_next/static": ".next/static"} if what == "Next.js" else {}
    return Proposal(what, [Service("web", keys)], _node_build(folder, "build" in scripts), assets=assets)


def _node_command(folder: Folder, what: str, scripts: dict[str, str]) -> str:
    """Return the command that starts it, without npm: wrappers handle signals badly."""
    start = scripts.get("start", "")
    if what == "Next.js":
        return "node node_modules/next/dist/bin/next start"
    if what == "Nest":
        return "node dist/main"
    if re.fullmatch(r"node [\w./=-]+( [\w./=-]+)*", start):
        return start
    main = folder.package.get("main", "index.js")
    names = [name for name in (main, "server.js", "app.js", "index.js") if isinstance(name, str)]
    entry = next((name for name in names if name.isprintable() and folder.has(name)), None)
    return "npm start" if start or entry is None else f"node {shlex.quote(entry)}"


def _node_build(folder: Folder, has_script: bool) -> list[str]:
    if folder.has("pnpm-lock.yaml"):
        program, install = "pnpm", "pnpm install --frozen-lockfile"
    elif folder.has("yarn.lock"):
        program, install = "yarn", "yarn install --frozen-lockfile"
    else:
        lean = "" if has_script else " --omit=dev"
        program, install = "npm", f"npm {'ci' if folder.has('package-lock.json') else 'install'}{lean}"
    return [install, *([f"{program} run build"] if has_script else [])]


def _procfile(folder: Folder, known: Proposal | None) -> Proposal | None:
    """Return the Procfile's services, added to what is `known` of the project; `known` without a Procfile."""
    lines = re.findall(
        r"(?m)^([\w-]+):[ \t]*(\S.*?)\s*$", re.sub("[\0-\x08\x0b-\x1f\x7f]", "", folder.text("Procfile"))
    )
    if not lines:
        return known
    proposal = known or Proposal("", [])
    commands = dict(lines)
    proposal.before_start = commands.pop("release", None) or proposal.before_start
    if not commands:
        return known
    proposal.services = [_service(name, command, bool(folder.sources)) for name, command in commands.items()]
    proposal.what = f"{proposal.what}, with the processes of the Procfile".removeprefix(", with the ")
    return proposal


def _service(name: str, command: str, is_python: bool) -> Service:
    if is_python and command.split()[0] in python.PROGRAMS:
        command = python.BIN + command
    keys: dict[str, object] = _web(command) if name == "web" else {"run": _run(command), "socket": "none"}
    comment = {"none": "nobody connects to it", "tcp": "it listens on the port in PORT"}.get(str(keys.get("socket")))
    return Service(valid_name(name) or "web", keys, {"socket": comment} if comment else {})


def _web(command: str) -> dict[str, object]:
    argv = _words(command) or []
    server = next((name for word in argv if (name := word.rpartition("/")[2]) in _SERVERS), None)
    if server:
        options, said, way = _SERVERS[server]
        rest = shlex.join(_without(argv, options))
        if not re.search(_SHELL, rest):
            run = f"{rest} {said}"
            return {"run": run} if way == "fd" else {"run": run, "socket": way}
    return {"run": _run(command), "socket": "tcp"}


def _words(command: str) -> list[str] | None:
    """Return the words of a command, None if its quotes have no end."""
    try:
        return shlex.split(command)
    except ValueError:
        return None


def _without(argv: list[str], options: tuple[str, ...]) -> list[str]:
    """Return the words without these options and their values."""
    kept: list[str] = []
    skip = False
    for word in argv:
        if not skip and word.partition("=")[0] not in options:
            kept.append(word)
        skip = not skip and word in options
    return kept


def _run(command: str) -> str:
    """Return the command for `run`, wrapped in a shell if it needs one."""
    if not re.search(_SHELL, command) and (_words(command) or [""])[0]:
        return command
    return shlex.join(["sh", "-c", command if re.search("[&|;]|^\\w+=", command) else f"exec {command}"])
