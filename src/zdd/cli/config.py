"""zddeploy config: the configuration as zdd reads it."""

from __future__ import annotations

from collections.abc import Callable

import click
import msgspec

from zdd.cli import options
from zdd.conf import show
from zdd.conf.schema import json_schema
from zdd.project import Project
from zdd.visible import in_json


@options.command("config", "opens")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of deploy.toml instead, for editors.")
def command(opened: Callable[[], Project], schema: bool, as_json: bool) -> int:
    r"""
    Show the configuration as zdd reads it, with all keys.

    The output is a valid deploy.toml in which keys with their default values are comments. Values that look secret are
    shown as ****.

    If the first line of deploy.toml is `#:schema ./deploy.schema.json`, and that file has the output of --schema,
    editors complete its keys and show mistakes (taplo, Even Better TOML).

    \b
    Examples:
      zddeploy config
      zddeploy config -c deploy.conf > deploy.toml
      zddeploy config --schema > deploy.schema.json
    """
    if schema:
        click.echo(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2))
        return 0
    project = opened()
    config, paths = project.config, project.paths
    defaults = {"project": config.project, "state_dir": paths.state, "runtime_dir": paths.runtime}
    shown = show.sections(config, defaults)
    if as_json:
        click.echo(in_json({"conf": str(config.path), "project": config.project, "sections": shown}))
    else:
        for line in show.toml(shown):
            click.secho(line, fg="bright_black" if line.startswith("#") else None)
    return 0
