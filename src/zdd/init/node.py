"""Projects with a package.json."""

from __future__ import annotations

import re

from zdd.init.folder import Folder
from zdd.init.proposal import Proposal, Service

_FRAMEWORKS = {"next": "Next.js", "@nestjs/core": "Nest", "express": "Express", "fastify": "Fastify", "koa": "Koa"}


def node(folder: Folder) -> Proposal | None:
    """Return what a Node project needs; None where there is none."""
    package = folder.json("package.json")
    scripts, needs = package.get("scripts", {}), package.get("dependencies", {})
    if not package or not (needs or scripts):
        return None
    what = next((name for key, name in _FRAMEWORKS.items() if key in needs), "Node")
    keys: dict[str, object] = {"run": _run(folder, what, scripts), "env": {"NODE_ENV": "production"}}
    return Proposal(what, [Service("web", keys)], _build(folder, "build" in scripts))


def _run(folder: Folder, what: str, scripts: dict[str, str]) -> str:
    """Return what starts it, without npm between: a wrapper passes signals on badly."""
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


def _build(folder: Folder, has_script: bool) -> list[str]:
    if folder.has("pnpm-lock.yaml"):
        program, install = "pnpm", "pnpm install --frozen-lockfile"
    elif folder.has("yarn.lock"):
        program, install = "yarn", "yarn install --frozen-lockfile"
    else:
        lean = "" if has_script else " --omit=dev"
        program, install = "npm", f"npm {'ci' if folder.has('package-lock.json') else 'install'}{lean}"
    return [install, *([f"{program} run build"] if has_script else [])]
