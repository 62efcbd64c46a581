"""zddeploy completion: TAB completes commands, options, services and versions."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_NAME, _VARIABLE = "zddeploy", "_ZDDEPLOY_COMPLETE"  # click runs the program itself, with this variable set


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
    root = click.get_current_context().find_root().command
    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(root, {}, _NAME, _VARIABLE).source())
    return 0
