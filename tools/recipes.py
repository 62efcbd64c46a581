"""
Prints the page of recipes, docs/reference/recipes.md, made of the files that the tests deploy.

Those of web servers are in samples/recipes, those of task queues in samples/workers.
"""

import json
import re
import tomllib
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "samples"
RECIPES = SAMPLES / "recipes"
SIGNALS = RECIPES / "signals.json"  # what tests/system/test_recipe_signals.py has met
SHOWN = ("run.sh", "Caddyfile", "haproxy.cfg")  # beside deploy.toml, where there are such

HEAD = """\
# Recipes

Each of these is a folder of `samples/recipes` with a small app, and each is tested as it stands here: five deploys in
ten seconds, under 300 requests a second (GET, POST with a body, slow ones) on 32 connections. None of them may fail,
and where the socket is `fd` or `unix` no connection of a client may be closed. `./dev lab --all` does that.

| server | `socket` | `run` |
| --- | --- | --- |
"""

MET = """
## What the app can meet

While it serves, each app is sent signals, its code is broken and put right, it stands still for 2 s while 250
connections come, and a stop-first deploy brings broken code. A test plays all of this and compares it with this table.
A restarted app is one that ended and that its keeper has started again: requests wait meanwhile, for `hold_max`. With
broken code that fails; after `hold_max` the service is down, `zddeploy status` and the log say so, and once the code is
right it serves again by itself.

"""


WORKERS = """
## Workers

Nobody connects to a worker: `socket = "none"`. Each of these is a folder of `samples/workers`, and is tested as it
stands here: a task of 20 s and 40 short ones are due while it is restarted twice. Every task is done once, none is
lost, and each old worker ends by itself, within `stop_timeout`, while the new one works. A deploy does not wait for
that. `./dev lab` does this.

| worker | `stop_signal` | `run` |
| --- | --- | --- |
"""


def main() -> None:
    """Print it."""
    recipes, workers = found(RECIPES), found(SAMPLES / "workers")
    rows = [f"| [{one.title}](#{one.anchor}) | {one.socket} | `{one.run}` |\n" for one in recipes]
    print(HEAD + "".join(rows) + met(recipes) + "".join(one.section() for one in recipes), end="")
    rows = [f"| [{one.title}](#{one.anchor}) | {one.stop_signal} | `{one.run}` |\n" for one in workers]
    print(WORKERS + "".join(rows) + "".join(one.section() for one in workers), end="")


def found(folder: Path) -> list["Recipe"]:
    """Return the recipes in a folder, by title."""
    return sorted((Recipe(path.parent) for path in folder.glob("*/deploy.toml")), key=lambda one: one.title.lower())


def met(recipes: list["Recipe"]) -> str:
    """Return the table of what becomes of each site, nothing while nothing is recorded."""
    table = json.loads(SIGNALS.read_text()) if SIGNALS.exists() else {}
    known = [(one, table[one.folder.name]) for one in recipes if one.folder.name in table]
    if not known:
        return ""
    columns = list(known[0][1])
    lines = [["server", *columns], ["---"] * (len(columns) + 1)]
    lines += [[f"[{one.title}](#{one.anchor})", *(found[column] for column in columns)] for one, found in known]
    return MET + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


class Recipe:
    """What the head of a deploy.toml says, and the rest of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        head, _, self.body = (folder / "deploy.toml").read_text().partition("\n\n")
        lines = [line.removeprefix("#").strip() for line in head.splitlines()]
        self.title, self.needs = lines[0], lines[2].removeprefix("needs: ")
        self.text = "\n".join(lines[4:])
        [service] = tomllib.loads(self.body)["service"].values()
        self.run, self.socket = service["run"], service.get("socket", "fd")
        self.stop_signal = service.get("stop_signal", "TERM")

    @property
    def anchor(self) -> str:
        """What a link to its heading ends with."""
        return re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")

    def section(self) -> str:
        """Return its part of the page."""
        needs = ", ".join(f"`{need}`" for need in self.needs.split(", "))
        body = self.body.removeprefix('[nginx]\nlisten = "127.0.0.1:8080"\n').strip()
        files = [self.folder / name for name in SHOWN if (self.folder / name).exists()]
        others = [f"`{path.name}`:\n\n```\n{path.read_text().strip()}\n```\n" for path in files]
        where = f"`{self.folder.relative_to(SAMPLES.parent)}`; needs {needs}."
        parts = [f"## {self.title}\n", f"```toml\n{body}\n```\n", *others, f"{self.text}\n", f"{where}\n"]
        return "\n" + "\n".join(parts)


if __name__ == "__main__":
    main()
