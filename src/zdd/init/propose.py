"""Recognizes a project: Ruby and Node here, Python in python.py, a Procfile in procfile.py."""

from __future__ import annotations

import re

from zdd.init.folder import Folder
from zdd.init.procfile import procfile
from zdd.init.proposal import Proposal, Service
from zdd.init.python import application, django

LOOKED_FOR = "Django, FastAPI, Starlette, Litestar, Quart, Flask, Rails, Rack, package.json, Procfile"

_BUNDLE = ["bundle config set --local path vendor/bundle", "bundle install --quiet"]
_FRAMEWORKS = {"next": "Next.js", "@nestjs/core": "Nest", "express": "Express", "fastify": "Fastify", "koa": "Koa"}


def propose(folder: Folder) -> Proposal | None:
    """Return a proposal for the project, None if it is not recognized."""
    proposals = (recognize(folder) for recognize in (django, application, _ruby, _node))
    return procfile(folder, next(filter(None, proposals), None))


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
    package = folder.json("package.json")
    scripts, needs = package.get("scripts", {}), package.get("dependencies", {})
    if not package or not (needs or scripts):
        return None
    what = next((name for key, name in _FRAMEWORKS.items() if key in needs), "Node")
    keys: dict[str, object] = {"run": _node_command(folder, what, scripts), "env": {"NODE_ENV": "production"}}
    return Proposal(what, [Service("web", keys)], _node_build(folder, "build" in scripts))


def _node_command(folder: Folder, what: str, scripts: dict[str, str]) -> str:
    """Return the command that starts it, without npm: wrappers handle signals badly."""
    start = str(scripts.get("start", ""))
    if what == "Next.js":
        return "node node_modules/next/dist/bin/next start"
    if what == "Nest":
        return "node dist/main"
    if re.fullmatch(r"node [\w./=-]+( [\w./=-]+)*", start):
        return start
    main = folder.json("package.json").get("main", "index.js")
    entry = next((name for name in (main, "server.js", "app.js", "index.js") if folder.has(str(name))), None)
    return "npm start" if start or entry is None else f"node {entry}"


def _node_build(folder: Folder, has_script: bool) -> list[str]:
    if folder.has("pnpm-lock.yaml"):
        program, install = "pnpm", "pnpm install --frozen-lockfile"
    elif folder.has("yarn.lock"):
        program, install = "yarn", "yarn install --frozen-lockfile"
    else:
        lean = "" if has_script else " --omit=dev"
        program, install = "npm", f"npm {'ci' if folder.has('package-lock.json') else 'install'}{lean}"
    return [install, *([f"{program} run build"] if has_script else [])]
