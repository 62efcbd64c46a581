"""
What a machine needs so that a project is up again after a reboot, as files of root's and commands that make them count.

Worked out here as data, so that `enable` can show it before it does it, and `disable` undo it.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import stat
from collections.abc import Sequence
from typing import NamedTuple

from zdd import claims
from zdd.claims import user_name
from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.host import guarded, reach, systemd
from zdd.operate import boot_unit

_SUDO_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")  # in this order where /bin is a link to /usr/bin
_TMPFILES, _RUNTIME = "/etc/tmpfiles.d", "/run/zdd"
# What the sudoers file may allow: an nginx is tested or reloaded, and nothing else, whatever a configuration says.
_NGINX = r"(nginx|openresty|angie)([@.-][\w@.-]*)?"
_HARMLESS = re.compile(
    rf"systemctl (reload|try-reload-or-restart) {_NGINX}|service {_NGINX} reload|nginx -(t|s reload)", re.ASCII
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
    Return whose project it is: the user named, or root who has deployed it, or else who owns the configuration.

    Raises UsageError where that user is unknown.
    """
    try:
        if name:
            return pwd.getpwnam(name)
        return pwd.getpwuid(0 if _deployed_by_root(config) else os.stat(config.path).st_uid)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None


def _deployed_by_root(config: Config) -> bool:
    """
    Tell whether root's own note in the runtime folder says so.

    A user's note says what that user likes, so it is not believed: neither whom it names nor its configuration.
    """
    claim = claims.decode(guarded.read_of_user(f"{_runtime(config)}/owner", 0))
    return bool(claim and claim.covers(config.path))


def check_free(config: Config, user: pwd.struct_passwd) -> None:
    """
    Raise UsageError where the project's name is another's: what is written for it at boot would be given to this user.

    That is: its runtime folder belongs to somebody else, or a unit starts another configuration as another user.
    """
    for folder in dict.fromkeys((f"{_RUNTIME}/{config.project}", _runtime(config))):
        owner = _taken_by(folder, user)
        if owner:
            raise UsageError(
                f"{folder} belongs to {owner}, and project {config.project} would be {user.pw_name}'s",
                hint=f"if it is {owner}'s, say so: --user {owner}; "
                f'if it is not, give it a name of its own: [zdd] project = "...". '
                f"Once nothing of {owner}'s runs there, root may remove the folder",
            )
    check_unit(config, user)


def check_unit(config: Config, user: pwd.struct_passwd) -> None:
    """Raise UsageError where a unit of this name starts another configuration as another user."""
    path = boot_unit.path(config.project)
    found = re.search(r"(?m)^User=(?P<user>.*)$(?:\n.*)*?\nExecStart=.* -c (?P<conf>.*) up$", _text(path))
    if found and found["user"] != user.pw_name and found["conf"] != _quoted(str(config.path)):
        raise UsageError(
            f"project {config.project} is enabled for {found['conf']} of {found['user']} ({path})",
            hint=f'give this one a name of its own: [zdd] project = "..."; or end the other: '
            f"zddeploy -c {found['conf']} disable",
        )


def _taken_by(folder: str, user: pwd.struct_passwd) -> str | None:
    """Return whose the folder is, None if it is the user's, or may become it: it is missing, or root's and empty."""
    try:
        found = os.lstat(folder)
        is_empty = found.st_uid == 0 and stat.S_ISDIR(found.st_mode) and not os.listdir(folder)
    except FileNotFoundError:
        return None
    except PermissionError:  # one of root's that only root may look into
        return "root"
    is_theirs = found.st_uid == user.pw_uid and stat.S_ISDIR(found.st_mode)
    return None if is_theirs or is_empty else user_name(found.st_uid)


def changeable(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[str]:
    """Return a line for each file that starts at boot as this user and that somebody else may replace."""
    found = ((path, reach.changeable(path, user.pw_uid, user.pw_gid)) for path in (program[0], str(config.path)))
    return [
        f"{path} is run as {user.pw_name} at boot, and not only {user.pw_name} can change {place}"
        for path, place in found
        if place
    ]


def _runtime(config: Config) -> str:
    return str(config.zdd.runtime_dir or f"{_RUNTIME}/{config.project}")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


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
    name = boot_unit.name(config.project)
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
        boot_unit.path(config.project),
        text,
        after=[[*systemctl, "daemon-reload"], [*systemctl, "enable", name]],
        proof=[[*systemctl, "is-enabled", name]],
        before_removal=[[*systemctl, "disable", name]],
        after_removal=[[*systemctl, "daemon-reload"]],
    )


def _folder(config: Config, user: pwd.struct_passwd) -> Piece:
    path, folder = f"{_TMPFILES}/{_file_name(config)}.conf", f"{_RUNTIME}/{config.project}"
    text = f"""\
# Written by `zddeploy enable`: where the sockets of {config.project} are.
d {_RUNTIME} 0755 root root -
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
