"""
What a machine needs so that a project is up again after a reboot, as files of root's and commands that make them count.

Worked out here as data, so that `enable` can show it before it does it, and `disable` undo it.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from zdd import claims
from zdd.conf.schema import Config
from zdd.deploy.ready import boot_unit
from zdd.errors import UsageError
from zdd.host import files, systemd

_SUDO_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")  # in this order where /bin is a link to /usr/bin
# What the sudoers file may allow: an nginx is tested or reloaded, and nothing else, whatever a configuration says.
_HARMLESS = re.compile(
    r"systemctl (reload|try-reload-or-restart) \w[\w@.-]*|service \w[\w.-]* reload|nginx -(t|s reload)"
)

Command = list[str]


class Piece(NamedTuple):
    """One file: tested with `test` (and its path) before it counts, made to count by `after`, and `proof` shows it."""

    path: str
    text: str
    mode: int = 0o644
    test: Command = []  # noqa: RUF012  (never changed)
    after: Sequence[Command] = ()
    proof: Sequence[Command] = ()
    before_removal: Sequence[Command] = ()
    after_removal: Sequence[Command] = ()


def user_of(config: Config, name: str | None = None) -> pwd.struct_passwd:
    """
    Return whose project it is: the user named, or who has deployed it, or else who owns the configuration.

    Raises UsageError where that user is unknown.
    """
    try:
        return pwd.getpwnam(name) if name else pwd.getpwuid(_deployer(config) or os.stat(config.path).st_uid)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None


def _deployer(config: Config) -> int | None:
    """Return the user that the runtime folder was made by, when it was made for this very configuration."""
    try:
        text = files.read(f"{config.zdd.runtime_dir or f'/run/zdd/{config.project}'}/owner") or "{}"
        claim = claims.decode(text)
        return int(json.loads(text)["uid"]) if claim and claim.covers(config.path) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return what the project needs. Raises UsageError for what cannot be written into such files."""
    found = [_unit(config, user, program)]
    if user.pw_uid != 0:
        found += [_folder(config, user), *_sudoers(config, user)]
    return found


def lingering(user: pwd.struct_passwd) -> bool:
    """Tell whether nothing is left to do for the user's processes to outlive their logins."""
    return user.pw_uid == 0 or systemd.lingers(user.pw_uid)


def refused(config: Config) -> list[Command]:
    """Return commands that ask for sudo and are not allowed by what is written: somebody has to judge them."""
    return [command for command in sudo_commands(config) if not _HARMLESS.fullmatch(" ".join(command))]


def _unit(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> Piece:
    name = boot_unit(config.project)
    manager = f" user@{user.pw_uid}.service" if user.pw_uid else ""
    start = " ".join(_quoted(word) for word in [*program, "-c", str(config.path), "up"])
    text = f"""\
# Written by `zddeploy enable`, removed by `zddeploy disable`.
[Unit]
Description={config.project} as it was served last, by zddeploy
After=network-online.target nginx.service{manager}
Wants=network-online.target{manager}

[Service]
Type=oneshot
RemainAfterExit=yes
User={user.pw_name}
ExecStart={start}
KillMode=process

[Install]
WantedBy=multi-user.target
"""
    systemctl = ["systemctl", "--quiet"]
    return Piece(
        f"/etc/systemd/system/{name}",
        text,
        after=[[*systemctl, "daemon-reload"], [*systemctl, "enable", name]],
        proof=[[*systemctl, "is-enabled", name]],
        before_removal=[[*systemctl, "disable", name]],
        after_removal=[[*systemctl, "daemon-reload"]],
    )


def _folder(config: Config, user: pwd.struct_passwd) -> Piece:
    path, folder = f"/etc/tmpfiles.d/{_file_name(config)}.conf", f"/run/zdd/{config.project}"
    text = f"""\
# Written by `zddeploy enable`: where the sockets of {config.project} are.
d /run/zdd 0755 root root -
d {folder} 0711 {user.pw_name} {user.pw_gid} -
"""
    writable = ["runuser", "-u", user.pw_name, "--", "test", "-w", folder]
    return Piece(path, text, after=[["systemd-tmpfiles", "--create", path]], proof=[writable])


def _sudoers(config: Config, user: pwd.struct_passwd) -> list[Piece]:
    commands = [_absolute(words) for words in sudo_commands(config) if _HARMLESS.fullmatch(" ".join(words))]
    if not commands:
        return []
    lines = [f"{user.pw_name} ALL=(root) NOPASSWD: {' '.join(command)}\n" for command in commands]
    allowed = [["runuser", "-u", user.pw_name, "--", "sudo", "-n", "-l", *command] for command in commands]
    text = f"# Written by `zddeploy enable`: {config.project} tests and reloads nginx.\n" + "".join(lines)
    return [Piece(f"/etc/sudoers.d/{_file_name(config)}", text, 0o440, test=["visudo", "-cqf"], proof=allowed)]


def sudo_commands(config: Config) -> list[Command]:
    """Return the commands of [nginx] that ask for sudo, as it is to run them."""
    found = []
    for command in (config.nginx.test, config.nginx.reload):
        try:
            words = shlex.split(command or "")
        except ValueError:
            continue
        if words[:1] == ["sudo"]:
            words = words[1:]
            found.append(words[1:] if words[:1] == ["-n"] else words)
    return [[os.path.basename(words[0]), *words[1:]] for words in found if words]


def _absolute(words: list[str]) -> list[str]:
    paths = [f"{folder}/{words[0]}" for folder in _SUDO_PATH]
    return [next((path for path in paths if os.access(path, os.X_OK)), paths[0]), *words[1:]]


def _file_name(config: Config) -> str:
    """Return a name that sudo reads: it skips files with a dot."""
    return "zdd-" + re.sub("[^a-zA-Z0-9_-]", "_", config.project)


def _quoted(word: str) -> str:
    """Return the word as systemd reads it as one (systemd.service(5), "command lines")."""
    if not word.isprintable():
        raise UsageError(f"{word!r} cannot be written into a unit of systemd's")
    for character, escape in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(character, escape)
    return f'"{word}"' if re.search(r"[\s\"'\\;]", word) else word
