"""The program: it finds the command, and is the only place that turns an error into a message and an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import NoReturn

import click

from zdd import __version__
from zdd.cli import streams
from zdd.errors import Unforeseen, UsageError, ZddError, as_zdd_error
from zdd.terminal import Terminal, fitted

# In the order of --help. Each command is imported only when it is used.
COMMANDS = (
    "init",
    "check",
    "deploy",
    "status",
    "watch",
    "logs",
    "history",
    "config",
    "exec",
    "rollback",
    "restart",
    "pause",
    "resume",
    "maintenance",
    "up",
    "down",
    "recover",
    "loadtest",
    "certificates",
    "enable",
    "disable",
    "completion",
    "demo",
)

_WITH_VALUE = ("-c", "--conf", "--label", "--rev", "--lock-timeout", "--max", "--message", "--page")


class Program(click.Group):
    """A group whose commands are modules of this folder. The default is deploy; options may precede the command."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's way)
        """Return the commands in the order of --help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command. What modules make stays, so nobody searches it for garbage meanwhile, or later."""
        if name not in COMMANDS:
            return None
        gc.disable()
        command: click.Command = importlib.import_module(f"zdd.cli.{name}").command
        gc.freeze()
        gc.enable()
        command.help = (command.help or "").replace("\\b\n", "\b\n")  # click's mark; the docstrings are raw
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command first: common options may precede it, and no command means deploy."""
        if ctx.resilient_parsing:  # completion: the user is still typing
            args = _command_first(args) if set(args) & set(COMMANDS) else []
        elif args not in (["--help"], ["-h"], ["--version"]):
            args = _command_first(args)
        return super().parse_args(ctx, args)


def _command_first(args: list[str]) -> list[str]:
    position = 0
    while position < len(args) and args[position].startswith("-"):
        position += 2 if args[position] in _WITH_VALUE else 1
    if position >= len(args):
        return ["deploy", *args]
    name = args[position]
    if name not in COMMANDS:
        import difflib  # here, because only a mistyped command needs it

        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean `zddeploy {near[0]}`?" if near else f"to deploy one service: zddeploy deploy {name}"
        raise UsageError(f"there is no command {name!r}", hint=hint)
    return [name, *args[:position], *args[position + 1 :]]


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zddeploy", message="%(prog)s %(version)s")
def program() -> None:
    """
    Deploy new versions of web services behind nginx without losing a request.

    Without a command it deploys the project of ./deploy.toml or ./deploy.conf.
    """
    from zdd.host import low_ports, own_process  # here, because --help and --version do not need them

    own_process.set_umask()
    low_ports.keep_to_ourselves()


def main() -> NoReturn:
    """Run the program and exit: 0 done, 1 failed and undone, 2 usage, 3 locked, 4 connections cut, 5 needs a person."""
    streams.use_utf8()
    streams.make_safe()
    try:
        status = program.main(standalone_mode=False, color=False if "NO_COLOR" in os.environ else None)
    except click.ClickException as error:
        error.show()
        status = UsageError.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        status = 130
    except Exception as error:
        status = _fail(_unwritten(error) if streams.failed_output(error) else as_zdd_error(error))
    _exit(status if isinstance(status, int) else 0)


def _unwritten(error: BaseException) -> ZddError:
    return ZddError(
        f"cannot write the output: {getattr(error, 'strerror', error)}",
        hint="the output is incomplete; write it elsewhere, or make room",
    )


def _exit(status: int) -> NoReturn:
    """Exit without the interpreter's finalization, which takes a tenth of a deploy's time for nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the reader has gone, or we have closed the stream
            pass
    os._exit(status)


def _fail(error: ZddError) -> int:
    """Print the error, unless an event has told it already, and what serves now; return the exit code."""
    from zdd.cli import failure  # here, because most commands succeed
    from zdd.events import Failed

    if isinstance(error, Unforeseen) or isinstance(error.__cause__, Unforeseen):
        from zdd.cli import bug

        bug.report(error, sys.argv)
    if not error.is_reported:
        failure.show(Failed.of(error))
    if error.now_serving:
        Terminal(sys.stderr).say(fitted(error.now_serving, sys.stderr), "green")
    return error.exit_code
