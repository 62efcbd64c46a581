"""
systemd holds the socket and restarts the app: units as in gunicorn.org/deploy (Systemd), `systemctl restart`.

It is a real systemd: PID 1 of a container that has this machine's programs and network, booted before the measuring.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from subprocess import CalledProcessError

from bench.hand import Nginx, run, spawn
from bench.peer import Peer, answer, until
from tests.system.project import BIN
from zdd.host import process


class Driver(Peer):
    """systemd, socket activation."""

    title = "systemd socket, restart"
    docs = "gunicorn.org/deploy, Systemd; systemctl(1); a real systemd, in a container, its own memory not counted"
    program = "systemd-nspawn"
    of_the_machine = ("systemd", "dbus-daemon")

    @classmethod
    def missing(cls) -> str:
        """Return why no systemd can be booted here."""
        return "only root can boot a systemd in a container" if os.geteuid() else super().missing()

    def start(self) -> None:
        """Boot, start both units, then nginx."""
        options = ["-q", "-D", "/", "--volatile=yes", "--register=no", "--keep-unit", "--link-journal=no"]
        shared = [f"--bind={self.folder}", f"--bind-ro={BIN.parent}", f"--bind-ro={sys.base_prefix}"]
        boot = ["--machine=zddbench", "--console=pipe", "--boot", "systemd.unit=basic.target"]
        self.container = spawn(self.folder, ["systemd-nspawn", *options, *shared, *boot]).pid
        units = [self.folder / "shop.socket", self.folder / "shop.service"]
        for unit in units:
            unit.write_text(unit.read_text().replace("FOLDER", str(self.folder)).replace("PROGRAMS", str(BIN)))
        until(lambda: self.systemctl("link", *map(str, units)))
        until(lambda: self.systemctl("start", *(unit.name for unit in units)))
        self.nginx = Nginx(self.folder, self.port, "", "fail_timeout=0;")
        self.nginx.write(f"unix:{self.folder}/shop.sock")
        self.nginx.command()
        until(lambda: answer(self.port))

    def systemctl(self, *arguments: str) -> bool:
        """Run systemctl beside that systemd; returns whether it succeeded."""
        for init in process.descendants(self.container)[:1]:
            with suppress(CalledProcessError):
                run(self.folder, "nsenter", f"-t{init}", "-a", "systemctl", *arguments)
                return True
        return False

    def deploy(self) -> None:
        """One command."""
        assert self.systemctl("restart", "shop")
