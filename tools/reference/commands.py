"""The page of all commands: what each says when it is asked for --help, and the exit codes."""

import click

from zdd.cli.main import COMMANDS, program
from zdd.deploy.outcome import CUT
from zdd.errors import DeployFailed, Locked, NeedsPerson, UsageError

WIDTH = 96

EXIT_CODES = {
    0: "done",
    DeployFailed.exit_code: "it failed, and what served before serves; for `status`: not all that should serve does",
    UsageError.exit_code: "usage, configuration or environment is wrong, found before anything was touched",
    Locked.exit_code: "somebody else is changing this project: the message says who, since when, and their process",
    CUT: "done, but `--strict-drain` was given and connections were cut",
    NeedsPerson.exit_code: "zdd can neither go on nor undo by itself: the message says what is left",
    130: "interrupted by Ctrl-C or SIGTERM while nothing was being changed",
}

HEAD = """\
# Commands

`zddeploy` without a command deploys. `zdd` is the same program. `-c`, `-v` and `--json` may stand before or after the
command.

## Exit codes

| code | means |
| --- | --- |
"""

NOTES = r"""

A signal (Ctrl-C, SIGTERM) before the commit undoes the deploy, exit code 1. After the commit the deploy is done, exit
code 0: the signal only ends the watching, and the old version drains by itself. SIGHUP, a terminal that hangs up,
stops no command that changes something. A stream that is closed, or whose reader has gone, changes no exit code.
Characters that the terminal cannot show are printed as escapes such as `\xe4`.

`deploy`, `check`, `config`, `enable` and `disable` need a valid configuration file. While the file is broken, or gone
from a project in the default state folder, all other commands use the configuration last deployed, and say so.
"""


def page() -> str:
    """Return it."""
    codes = "".join(f"| {code} | {words} |\n" for code, words in EXIT_CODES.items())
    parent = click.Context(program, info_name="zddeploy", terminal_width=WIDTH, max_content_width=WIDTH)
    return HEAD + codes + NOTES + "".join(_section(name, parent) for name in COMMANDS)


def _section(name: str, parent: click.Context) -> str:
    command = program.get_command(parent, name)
    assert command
    context = click.Context(command, parent, name, terminal_width=WIDTH, max_content_width=WIDTH)
    context.help_option_names = ["-h", "--help"]
    help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"\n## zddeploy {name}\n\n```text\n{help_text}\n```\n"
