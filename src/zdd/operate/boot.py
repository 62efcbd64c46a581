"""
What a project needs to come up at boot: files that root writes, and the commands that activate them.

They are data, so that `enable` can show them before it writes them, and `disable` can undo them.
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
from zdd.host import guarded, low_ports, reach, systemd, unit_files
from zdd.host.command import which
from zdd.operate import boot_unit

_SUDO_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # /usr/bin first, since /bin may be a link to it
_TMPFILES, _RUNTIME = "/etc/tmpfiles.d", "/run/zdd"
# All that the sudoers file may allow, whatever a configuration says: to test or reload an nginx.
_NGINX = r"(nginx|openresty|angie)([@.-][\w@.-]*)?"
_HARMLESS = re.compile(
    rf"systemctl (reload|try-reload-or-restart) {_NGINX}|service {_NGINX} reload|nginx -(t|s reload)", re.ASCII
)

Command = list[str]


class Piece(NamedTuple):
    """One file: `test` (with its path) checks it before it is written, `after` activates it, `proof` verifies that."""

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
    Return the project's user: the named one, or root if root has deployed it, or else the configuration's owner.

    Raises UsageError if that user is unknown.
    """
    uid = 0 if _deployed_by_root(config) else os.stat(config.path).st_uid
    try:
        return pwd.getpwnam(name) if name else pwd.getpwuid(uid)
    except KeyError:
        if name:
            raise UsageError(f"this machine has no user {name!r}") from None
        raise UsageError(
            f"{config.path} belongs to user {uid}, whom passwd does not contain, and a unit needs a user",
            hint="add that user, or name another: --user NAME",
        ) from None


def _deployed_by_root(config: Config) -> bool:
    """
    Return whether root's own claim in the runtime folder says so.

    A user's claim is not trusted, since that user can write anything into it.
    """
    claim = claims.decode(guarded.read_of_user(f"{_runtime(config)}/owner", 0))
    return bool(claim and claim.covers(config.path))


def check_free(config: Config, user: pwd.struct_passwd) -> None:
    """
    Raise UsageError if the project's name is taken: what is written at boot would then go to the wrong user.

    It is taken if its runtime folder is another user's, or if a unit starts another configuration as another user.
    """
    for folder in dict.fromkeys((f"{_RUNTIME}/{config.project}", _runtime(config))):
        if owner := _taken_by(folder, user):
            raise UsageError(
                f"{folder} belongs to {owner}, but project {config.project} would belong to {user.pw_name}",
                hint=f"if the project belongs to {owner}, add --user {owner}; "
                f'if not, give it another name: [zdd] project = "...". '
                f"Once {owner} runs nothing there, root may remove the folder",
            )
    check_unit(config, user)


def check_unit(config: Config, user: pwd.struct_passwd) -> None:
    """Raise UsageError if a unit of this name starts another configuration as another user."""
    path = boot_unit.path(config.project)
    name, conf = unit_files.started(path) or (user.pw_name, "")
    if name != user.pw_name and conf != str(config.path):
        raise UsageError(
            f"project {config.project} is enabled for {conf} of {name} ({path})",
            hint=f'give this project another name: [zdd] project = "..."; or disable the other: '
            f"zddeploy -c {shlex.quote(conf)} disable",
        )


def _taken_by(folder: str, user: pwd.struct_passwd) -> str | None:
    """Return the folder's owner; None if that is the user, or if the folder is free: missing, or root's and empty."""
    try:
        status = os.lstat(folder)
        is_folder = stat.S_ISDIR(status.st_mode)
        is_free = is_folder and status.st_uid == 0 and not os.listdir(folder)
    except FileNotFoundError:
        return None
    except PermissionError:  # a folder of root's that only root can read
        return "root"
    is_theirs = is_folder and status.st_uid == user.pw_uid
    return None if is_theirs or is_free else user_name(status.st_uid)


def changeable(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[str]:
    """Return a warning for each file that runs at boot as this user and that somebody else can replace."""
    return [
        f"{path} runs as {user.pw_name} at boot, but not only {user.pw_name} can change {place}"
        for path in (program[0], str(config.path))
        if (place := reach.changeable(path, user.pw_uid, user.pw_gid))
    ]


def _runtime(config: Config) -> str:
    return str(config.zdd.runtime_dir or f"{_RUNTIME}/{config.project}")


def pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return the files that the project needs. Raises UsageError for a path that they cannot contain."""
    unit = _unit(config, user, program)
    return [unit] if user.pw_uid == 0 else [unit, _folder(config, user), *_sudoers(config, user)]


def lingering(user: pwd.struct_passwd) -> bool:
    """Return whether the user's processes outlive their logins."""
    return user.pw_uid == 0 or systemd.lingers(user.pw_uid)


def refused(config: Config) -> list[Command]:
    """Return the commands that need sudo but that zdd does not allow: a person must judge them."""
    return [command for command in sudo_commands(config) if not _is_harmless(command)]


def _unit(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> Piece:
    name = boot_unit.name(config.project)
    manager = f" user@{user.pw_uid}.service" if user.pw_uid else ""
    start = " ".join(quoted(word) for word in [*program, "-c", str(config.path), "up"])
    right = f"AmbientCapabilities={low_ports.NAME}\n" if boot_unit.needs_low_ports(config, user) else ""
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
{right}ExecStart={start}
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
    commands = [_absolute(command) for command in sudo_commands(config) if _is_harmless(command)]
    if not commands:
        return []
    lines = [f"{user.pw_name} ALL=(root) NOPASSWD: {' '.join(command)}\n" for command in commands]
    allowed = [["runuser", "-u", user.pw_name, "--", "sudo", "-n", "-l", *command] for command in commands]
    text = f"# Written by `zddeploy enable`: {config.project} tests and reloads nginx.\n" + "".join(lines)
    return [Piece(f"/etc/sudoers.d/{_file_name(config)}", text, 0o440, test=["visudo", "-cqf"], proof=allowed)]


def sudo_commands(config: Config) -> list[Command]:
    """Return the commands of [nginx] that sudo runs, without sudo itself."""
    commands = []
    for command in (config.nginx.test, config.nginx.reload):
        try:
            match shlex.split(command or ""):
                case ["sudo", "-n", program, *args] | ["sudo", program, *args]:
                    commands.append([os.path.basename(program), *args])
        except ValueError:
            continue
    return commands


def _is_harmless(command: Command) -> bool:
    return _HARMLESS.fullmatch(" ".join(command)) is not None


def _absolute(command: Command) -> Command:
    return [which(command[0], _SUDO_PATH) or f"/usr/sbin/{command[0]}", *command[1:]]


def _file_name(config: Config) -> str:
    """Return a name without a dot, since sudo skips files with one."""
    return "zdd-" + re.sub("[^a-zA-Z0-9_-]", "_", config.project)


def quoted(word: str) -> str:
    """Return the word quoted for a unit's command line (systemd.service(5), "command lines")."""
    if not word.isprintable():
        raise UsageError(f"{word!r} cannot be written into a systemd unit")
    for character, escape in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(character, escape)
    return f'"{word}"' if re.search(r"[\s\"'\\;]", word) else word
