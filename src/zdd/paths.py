"""Where a project's files are: S, the state, which survives a reboot, and R, the runtime folder."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable

from zdd import claims, living
from zdd.claims import Claim
from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.host import files
from zdd.host.clock import boot_id
from zdd.instances.name import name_of
from zdd.living import Remains

_RUN = "/run/zdd"
_LONGEST_SOCKET_PATH = 107  # sun_path holds 108 bytes with its closing zero (unix(7))
_HIGHEST_NUMBER = 99_999  # the highest instance number that fits into a socket's path


class Paths:
    """
    The paths of one project.

    S is `/var/lib/zdd/PROJECT` for root and `~/.local/state/zdd/PROJECT` for others, with the home from passwd instead
    of $HOME: CI, cron and sudo must all find the same folder. R is `/run/zdd/PROJECT` if we can use it, else S/run; the
    choice is recorded in S, so that it does not change while instances run.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.state = str(config.zdd.state_dir or default_state(config.project))
        self.runtime = str(config.zdd.runtime_dir or self._recorded() or self._choose())
        self.logs = f"{self.state}/logs"
        self.history = f"{self.state}/history.jsonl"
        self.environment = f"{self.state}/environment.json"
        self.deploys = f"{self.state}/deploys"
        self.releases = f"{self.state}/releases"
        self.assets = f"{self.state}/assets"
        self.nginx = f"{self.state}/nginx"
        self.nginx_conf = config.nginx.rendered or f"{self.nginx}/nginx.conf"  # what an nginx of ours reads
        self.lock = f"{self.runtime}/lock"
        self.owner = f"{self.runtime}/owner"
        self.control = f"{self.runtime}/control"
        self.instances = f"{self.runtime}/instances"
        self.tables = f"{self.runtime}/tables"
        self.current = f"{self.runtime}/current"
        self.maintenance = f"{self.runtime}/maintenance"
        self.nginx_pid = f"{self.runtime}/nginx.pid"
        self.nginx_temp = f"{self.nginx}/temp"
        self.nginx_log = f"{self.logs}/nginx.log"
        self.code = f"{self.state}/code.json"
        self.release = f"{self.state}/current"
        self.mirror = f"{self.state}/repo.git"
        self.shared = f"{self.state}/shared"

    def control_socket(self, name: str) -> str:
        """Return the socket on which the instance's keeper answers."""
        return f"{self.control}/{name}.sock"

    def record(self, name: str) -> str:
        """Return the file with what the instance's keeper runs."""
        return f"{self.control}/{name}.json"

    def pids(self, name: str) -> str:
        """Return the file in which the instance's keeper records the processes."""
        return f"{self.control}/{name}.pids"

    def classic_record(self, name: str) -> str:
        """Return the record of a classic instance."""
        return f"{self.control}/{name}.classic"

    def table(self, name: str | int) -> str:
        """Return the folder of a table."""
        return f"{self.tables}/{name}"

    def instance(self, name: str) -> str:
        """Return the instance's own folder."""
        return f"{self.instances}/{name}"

    def socket(self, name: str) -> str:
        """Return the path that slots lead to: the instance's socket, or another one while requests are held."""
        return f"{self.instances}/{name}/{'sock/' if self.is_of_0_1(name) else ''}socket"

    def keep(self, name: str) -> str:
        """Return the keeper's own name for the instance's socket, which no app can change."""
        folder = self.instance(name)
        if not self.is_of_0_1(name):
            return f"{folder}/keep"
        names = [entry for entry in os.listdir(folder) if re.fullmatch(r"name(\.[0-9]+)?", entry)]
        return f"{folder}/{max(names, key=lambda entry: int(entry[5:] or 0), default='name')}"

    def waiting(self, name: str) -> str:
        """Return the socket in which the instance's requests are held."""
        return f"{self.instance(name)}/waiting"

    def app_folder(self, name: str) -> str:
        """Return the prefix of the app's own folders; a dot and a number follow it."""
        return f"{self.instance(name)}/app"

    def app_socket(self, name: str) -> str:
        """Return the path at which an app binds its socket if it does so itself."""
        return f"{self.app_folder(name)}.1/socket"

    def old_socket_folder(self, name: str) -> str:
        """
        Return the folder in which zdd 0.1 keeps an instance's socket.

        Its instances continue to serve, and its slots lead there. So a new instance has a link there to its own folder.
        """
        return f"{self.instance(name)}/sock"

    def is_of_0_1(self, name: str) -> bool:
        """Return whether zdd 0.1 started the instance; it has the layout of that version."""
        folder = self.old_socket_folder(name)
        return os.path.isdir(folder) and not os.path.islink(folder)

    def log(self, name: str) -> str:
        """Return the file with the instance's output."""
        return f"{self.logs}/{name}.log"

    def deploy_log(self, deploy: int) -> str:
        """Return the file that tells of a deploy, whatever became of it."""
        return f"{self.logs}/deploy-{deploy}.log"

    def deploy_events(self, deploy: int) -> str:
        """Return the file of a deploy's events, one JSON object a line."""
        return f"{self.logs}/deploy-{deploy}.jsonl"

    def logged_deploys(self) -> list[int]:
        """Return the numbers of all deploys that have a log; such a number is not used again."""
        names = os.listdir(self.logs) if os.path.isdir(self.logs) else []
        return [int(match[1]) for name in names if (match := re.fullmatch(r"deploy-([0-9]+)\.log", name))]

    def check(self) -> None:
        """
        Raise UsageError if this project cannot use these paths; changes nothing.

        They may belong to another user or another configuration, another user may have deployed this one, a socket's
        path may be too long, or /proc may not show what runs.
        """
        living.check_proc()
        for folder in (self.state, self.runtime):
            claims.check_user(folder)
        claims.check_conf(None if self.stale() else self._claim(), self.config.path, self.config.project)
        claims.check_others(self.config.path, self.config.project)
        self._check_length(self.config.services)

    def make_room(self) -> None:
        """Make S, R (which holds the lock) and their missing parents. Raises UsageError if that fails."""
        self._make((folder, 0o755) for folder in self._above())
        self._make(((self.state, 0o755), (self.logs, 0o750), (self.runtime, 0o711)))

    def prepare(self) -> str | None:
        """
        Make missing folders and record their owner; the caller holds the lock.

        Removes from R what another boot left, if nothing of it runs. Returns a notice if the boot id does not decide
        that. Raises UsageError if a folder cannot be made.
        """
        self.make_room()
        notice = self.doubt()
        if self.stale():
            self.forget()
        self._make(((self.control, 0o700), (self.instances, 0o711), (self.tables, 0o711)))
        boot = boot_id() or files.read_object(self.owner).get("boot_id", "")  # a known one is worth more than none
        claim = claims.of(self.config.path, self._claim())
        for path, more in ((self.owner, {"uid": os.geteuid(), "boot_id": boot}), (f"{self.state}/owner", {})):
            if files.read(path) != (text := claims.encode(claim, **more)):
                files.write(path, text)  # readable for other users, see claims.py
        if self._recorded() != self.runtime:
            files.write(f"{self.state}/runtime", self.runtime + "\n")
        return notice

    def _make(self, folders: Iterable[tuple[str, int]]) -> None:
        try:
            for folder, mode in folders:
                if folder in self._above():
                    files.open_folder(folder, mode, never=0o022)  # an older zdd made it under the caller's umask
                elif not os.path.isdir(folder):
                    os.makedirs(folder, exist_ok=True)
                    os.chmod(folder, mode)  # whatever the umask says
        except OSError as error:
            raise UsageError(
                f"cannot make {error.filename}: {error.strerror}",
                hint="set state_dir and runtime_dir in the [zdd] section to folders of yours",
            ) from error

    def _above(self) -> set[str]:
        """Return the parents of S and R that all projects of zdd share."""
        shared = {os.path.dirname(default_state(self.config.project)), _RUN}
        return shared & {os.path.dirname(self.state), os.path.dirname(self.runtime)}

    def forget(self) -> None:
        """Remove instances and tables from R; the caller knows that none of them runs."""
        files.remove(self.current)
        for folder in (self.control, self.instances, self.tables):
            _remove_tree(folder)

    def remove(self) -> None:
        """Remove all of R, the held lock last: a command that waits for the lock then sees that it is gone."""
        self.forget()
        for path in (f"{self.state}/runtime", self.owner, self.lock):
            files.remove(path)
        _remove_tree(self.runtime)

    def stale(self) -> bool:
        """Return whether R is left over from another boot: its boot id is not ours, and nothing in R runs."""
        return living.is_stale(self._remains())

    def doubt(self) -> str | None:
        """Return why R is kept or cleared if the boot id does not decide that; None if it does."""
        return living.doubt(self._remains())

    def _remains(self) -> Remains:
        return Remains(self.runtime, self.control, self.instances, self.logs, self.owner, self.current, self.nginx_conf)

    def _recorded(self) -> str | None:
        """Return the runtime folder chosen before, as long as it holds a table of a deploy."""
        recorded = (files.read(f"{self.state}/runtime") or "").strip()
        tables = f"{recorded}/tables"
        return recorded if recorded and os.path.isdir(tables) and os.listdir(tables) else None

    def _choose(self) -> str:
        shared = f"{_RUN}/{self.config.project}"
        if os.path.isdir(shared):
            usable = os.stat(shared).st_uid == os.geteuid()
        else:
            parent = _RUN if os.path.isdir(_RUN) else "/run"
            usable = os.access(parent, os.W_OK | os.X_OK)
        return shared if usable else f"{self.state}/run"

    def moved_from(self) -> str | None:
        """Return the path by which this project was deployed, if that file no longer exists; else None."""
        claim = None if self.stale() else self._claim()
        moved = claim and not claim.is_of(self.config.path) and claim.is_void()
        return claim.conf if claim and moved else None

    def _claim(self) -> Claim | None:
        return claims.decode(files.read(self.owner))

    def _check_length(self, services: Iterable[str]) -> None:
        for service in services:
            longest = self.app_socket(name_of(service, _HIGHEST_NUMBER))
            length = len(os.fsencode(longest))
            if length > _LONGEST_SOCKET_PATH:
                raise UsageError(
                    f"{longest} has {length} bytes; the path of a UNIX socket may have {_LONGEST_SOCKET_PATH}",
                    hint="set runtime_dir in the [zdd] section to a shorter folder",
                )


def default_state(project: str) -> str:
    """Return the default of S."""
    return claims.state_of(project, os.geteuid())


def _remove_tree(folder: str) -> None:
    """Remove a folder as far as possible: files that an app left must not fail a command."""
    with contextlib.suppress(OSError):
        files.remove_tree(folder)
