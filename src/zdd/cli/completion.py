"""
zddeploy completion: TAB completes commands, options, services, instances and versions.

It runs at each TAB, so it must be quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from zdd.conf.schema import Config

_NAME, _VARIABLE = "zddeploy", "_ZDDEPLOY_COMPLETE"  # click runs the program itself, with this variable set

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    r"""
    Print the shell script that completes commands and names.

    \b
    Examples:
      zddeploy completion bash >> ~/.bashrc
      zddeploy completion zsh > ~/.zfunc/_zddeploy
      zddeploy completion fish > ~/.config/fish/completions/zddeploy.fish

    For zsh, ~/.zshrc needs `fpath+=~/.zfunc; autoload -Uz compinit; compinit`. New shells use it.
    """
    from click.shell_completion import get_completion_class  # here, because all commands import this file

    root = click.get_current_context().find_root().command
    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(root, {}, _NAME, _VARIABLE).source())
    return 0


def _names(find: Callable[[Config], Iterable[str]]) -> Complete:
    """Return the completion of a parameter from the configuration; without a readable one it proposes nothing."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        from zdd.conf import read
        from zdd.errors import ZddError

        conf: Any = ctx.params.get("conf")
        try:
            named = Path(conf) if conf else None
            names = list(find(read.load(read.find(named, read.here(named)))))
        except (ZddError, OSError):
            return []
        return [name for name in names if name.startswith(incomplete)]

    return complete


def _instances(config: Config) -> Iterable[str]:
    from zdd.operate import logs
    from zdd.paths import Paths

    return (name for names in logs.find(Paths(config), config.services).values() for name in reversed(names))


def _versions(config: Config) -> Iterable[str]:
    """Return the deploys that were done, newest first, and their releases."""
    from zdd import history
    from zdd.paths import Paths

    done = [entry for entry in history.newest_first(Paths(config).history) if entry.outcome == "done"]
    releases = dict.fromkeys(entry.release for entry in done if entry.release)
    return [*(str(entry.deploy) for entry in done), *releases]


services = _names(lambda config: config.services)
instances = _names(_instances)
versions = _names(_versions)
