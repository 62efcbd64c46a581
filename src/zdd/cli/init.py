"""zddeploy init: write a first deploy.toml."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from zdd.conf import read
from zdd.conf.read import NAMES
from zdd.errors import UsageError
from zdd.host import files, sock_diag
from zdd.init.folder import Folder
from zdd.init.proposal import Proposal, Service, toml
from zdd.init.propose import LOOKED_FOR, propose
from zdd.release.source import locate

_PORTS = range(8080, 8180)


@click.command("init")
@click.option("-y", "--yes", is_flag=True, help="Write it without asking.")
def command(yes: bool) -> int:
    r"""
    Propose a deploy.toml for the project in this folder.

    The file is shown, and written if you agree. `init` recognizes Django, FastAPI, Starlette, Litestar, Quart, Flask,
    Rails, Rack, Node and Procfiles; for others it asks for the command. An existing deploy.toml or deploy.conf is never
    overwritten.

    \b
    Examples:
      zddeploy init              shows, and asks
      zddeploy init --yes        then: zddeploy check; zddeploy
    """
    here = read.here()
    if existing := [name for name in NAMES if os.path.lexists(name)]:
        hint = "move it away, and `zddeploy init` proposes another"
        raise UsageError(f"{here / existing[0]} exists already", hint=hint)
    may_ask = sys.stdin.isatty() and not yes
    proposal = propose(Folder(here)) or _asked(here, may_ask)
    port = next((port for port in _PORTS if not sock_diag.listening_on(port)), _PORTS[0])
    text = toml(proposal, here.name, port, locate(os.getcwd()) is not None, os.path.isfile(".env"))
    click.echo(text)
    if not yes and not may_ask:
        raise UsageError("nothing was written: there is no terminal to ask", hint="`zddeploy init --yes` writes it")
    if may_ask and not click.confirm(f"Write this to {here / NAMES[0]}?", default=True):
        return 1
    files.write(NAMES[0], text)
    click.secho(f"{here / NAMES[0]} is written. Next: `zddeploy check`, then `zddeploy`", fg="green")
    return 0


def _asked(here: Path, may_ask: bool) -> Proposal:
    if not may_ask:
        raise UsageError(
            f"{here} is not a project of a known kind; looked for {LOOKED_FOR}",
            hint='write deploy.toml by hand; it needs at least a section [service.web] with run = "COMMAND", '
            'or, for a site of files, with static = "FOLDER" and beside it [release] with source = "."',
        )
    click.echo(f"This is none of: {LOOKED_FOR}.")
    run = click.prompt("Which command starts the app in the foreground? ({fd} and {port} are replaced)")
    keys: dict[str, object] = {"run": run} if "{fd}" in run else {"run": run, "socket": "tcp"}
    return Proposal("A project", [Service("web", keys, {"socket": "it listens on {port}, or the port in PORT"})])
