"""A project of static services alone: the timer that `enable` writes rotates its access log, by a real systemd."""

from __future__ import annotations

import pytest

from tests.waiting import eventually

from .host import ZDD, Host

CONF = """
[zdd]
project = "PROJECT"
log_max = "10K"

[nginx]
listen = "127.0.0.1:PORT"

[release]
source = "code"

[service.site]
static = "dist"
"""
PORTS = {"root": 8091, "deploy": 8092}


class Site:
    """A static site of this user's."""

    def __init__(self, host: Host, user: str) -> None:
        self.host, self.user, self.port = host, user, PORTS[user]
        self.name = f"of-{user}"
        self.folder = f"{'/root' if user == 'root' else '/home/deploy'}/{self.name}"
        state = "/var/lib/zdd" if user == "root" else "/home/deploy/.local/state/zdd"
        self.log = f"{state}/{self.name}/logs/access/access.log"
        host.write(f"{self.folder}/code/dist/index.html", "<p>1", user)
        conf = CONF.replace("PROJECT", self.name).replace("PORT", str(self.port))
        if user == "root":
            host.root("chmod", "755", "/root")  # nginx's user reads the pages
        host.write(f"{self.folder}/deploy.toml", conf, user)
        host.root("chown", "-R", f"{user}:", self.folder)

    def zddeploy(self, *args: str) -> str:
        done = self.host.root("runuser", "-u", self.user, "--", ZDD, "-c", f"{self.folder}/deploy.toml", *args)
        return done.stdout + done.stderr

    def as_root(self, *args: str) -> str:
        return self.host.root(ZDD, "-c", f"{self.folder}/deploy.toml", *args).stdout

    def ask(self, path: str, times: int = 1) -> None:
        script = f"for i in $(seq {times}); do curl -s -o /dev/null http://127.0.0.1:{self.port}{path}; done"
        self.host.root("sh", "-c", script)

    def size(self) -> int:
        return int(self.host.root("stat", "-c", "%s", self.log).stdout)


@pytest.mark.parametrize("user", ["root", "deploy"])
def test_enable_begins_the_log_its_timer_rotates_it_and_disable_ends_both(host: Host, user: str) -> None:
    site = Site(host, user)
    said = site.zddeploy()
    assert "nginx logs no requests" in said
    assert "zddeploy enable`" in said
    assert "nginx logs no requests" not in site.zddeploy()

    shown = site.as_root("enable")
    assert f"/etc/systemd/system/zdd-{site.name}.logs.timer:" in shown
    site.ask("/first")
    eventually(lambda: "/first" in site.zddeploy("logs", "--access"))  # nginx writes it after the answer was sent
    assert "unchanged" in site.zddeploy()

    site.ask("/more", 60)
    older = f"{site.log}.1"
    eventually(lambda: host.root("test", "-e", older, code=None).returncode == 0, 240)
    eventually(lambda: host.root("stat", "-c", "%a", site.log).stdout == "640\n")
    before = host.root("stat", "-c", "%s", older).stdout
    site.ask("/later")
    eventually(lambda: "/later" in site.zddeploy("logs", "--access", "-n", "1"))
    assert host.root("stat", "-c", "%s", older).stdout == before
    journal = host.root("journalctl", "--unit", f"zdd-{site.name}.logs.service", "--output", "cat").stdout
    assert "Starting" not in journal

    site.as_root("disable")
    assert host.root("sh", "-c", f"ls /etc/systemd/system/zdd-{site.name}.logs.*", code=None).stdout == ""
    size = site.size()
    site.ask("/after")
    assert site.size() == size
    assert "unchanged" in site.zddeploy()
    site.zddeploy("down")
