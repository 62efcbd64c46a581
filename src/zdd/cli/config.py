"""zddeploy config: what zdd understood."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from zdd.cli import options
from zdd.conf import show
from zdd.conf.schema import json_schema


@click.command("config")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of deploy.toml instead, for editors.")
@options.common
def command(schema: bool, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Show what zdd understood: every section with all its keys.

    Ready to be pasted into a deploy.toml: what is not set, or is as it would be anyway, is a comment. Values that look
    secret are shown as ****.

    With the file of --schema, and `#:schema ./deploy.schema.json` as the first line of deploy.toml, editors complete
    its keys and tell what is wrong (taplo, Even Better TOML).

    \b
    Examples:
      zddeploy config
      zddeploy config -c deploy.conf > deploy.toml
      zddeploy config --schema > deploy.schema.json
    """
    if schema:
        click.echo(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2))
        return 0
    project = options.project_of(conf, verbose, as_json, looks_only=True)
    config, paths = project.config, project.paths
    found = {"project": config.project, "state_dir": paths.state, "runtime_dir": paths.runtime}
    shown = show.sections(config, found)
    if as_json:
        click.echo(msgspec.json.encode({"conf": str(config.path), "project": config.project, "sections": shown}))
    else:
        for line in show.toml(shown):
            click.secho(line, fg="bright_black" if line.startswith("#") else None)
    return 0
