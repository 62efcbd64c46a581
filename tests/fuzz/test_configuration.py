"""deploy.toml, deploy.conf and env_file, as people write them."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import msgspec

from zdd.conf import env_file, read, show
from zdd.conf.schema import Config
from zdd.errors import UsageError

from .profile import holds
from .texts import mutated

TOML = [
    b"""[zdd]
project = "shop"
lock_timeout = "10s"
log_max = "64M"
before_start = "true"

[nginx]
listen = ["8080", "[::1]:8081", "127.0.0.1:8082"]
server_name = ["shop.test", "*.shop.test", "[::1]"]
client_max_body_size = "10M"
proxy_read_timeout = "60s"

[service.web]
run = "gunicorn --bind fd://{fd} 'app:app'"
env = { A = "b", PORT = 80 }
health_path = "/health"
health_status = "200-299,301"
health_host = "shop.test"
host = ["shop.test", "www.shop.test"]
path = "/api"
instances = 2
stop_signal = "TERM"
memory_max = "1G"

[service.worker]
run = "worker"
socket = "none"
keep_warm = 0
min_uptime = 2.5

[release]
source = "git@host:shop.git"
build = ["a", "b"]
shared = ["uploads/", "db.sqlite"]
assets = "static"
keep_releases = 5
""",
    b"""service.web = { run = "app {socket}", socket = "unix", order = "start-first" }
[nginx]
include = "shop.conf"
reload = "true"
test = "true"
pid_file = "nginx.pid"
""",
    b"""[service.old]
start = "start"
stop = "stop"
pid_file = "old.pid"
[nginx]
template = "nginx.conf.template"
pid_file = "nginx.pid"
""",
]
INI = [
    b"""[zdd]
project = shop
[nginx]
listen =
    8080
    127.0.0.1:8081
[service:web]
run = app {fd}
env =
    A=b
    C=d
host = shop.test
hold_max = 20
bake = 1m
[release]
source = .
build = a
    b
""",
    b"""[DEFAULT]
root = /srv/shop
start_timeout = 10
[service:old]
start = %(root)s/start ; a comment
stop: %(root)s/stop
pid_file = %(root)s/%%/old.pid
health_status: 200
[nginx]
template = nginx.conf.template
pid_file = nginx.pid
[other]
x = y
""",
    b"""[service:old]
start = a
stop = b
pid_file = c
[service:new]
run = app
user = www-data
[nginx]
template = nginx.conf.template
pid_file = nginx.pid
""",
]
NAMES = {"deploy.toml": mutated(TOML), "deploy.conf": mutated(INI)}
MOST = 1000  # characters of one mistake


def load(name: str, data: bytes) -> Config | UsageError:
    with tempfile.TemporaryDirectory(prefix="shop") as folder:
        path = Path(folder, "shop", name)
        path.parent.mkdir()
        path.parent.joinpath("nginx.conf.template").touch()
        path.write_bytes(data)
        try:
            return read.load(path)
        except UsageError as error:
            return error


def check(name: str, data: bytes) -> None:
    found = load(name, data)
    if isinstance(found, UsageError):
        lines = str(found).split("\n")
        for mistake in lines:
            assert f"/shop/{name}" in mistake, "every mistake names the file"
            assert len(mistake) < MOST, "what was read is shown, but not all of it"
            assert mistake.isprintable(), "what was read is shown as what it is, and cannot move the cursor"
        return
    assert msgspec.json.encode(found.zdd, enc_hook=str)
    assert "\n".join(show.toml(show.sections(found, {})))


@holds(NAMES["deploy.toml"], examples=300)
def test_every_deploy_toml_is_read_or_refused(data: bytes) -> None:
    check("deploy.toml", data)


@holds(NAMES["deploy.conf"], examples=300)
def test_every_deploy_conf_is_read_or_refused(data: bytes) -> None:
    check("deploy.conf", data)


ENV = [
    b"""# a comment
export A=b
B="c d"
C='e'
D=
  E = f

F=a"b
G="a\\nb"
"""
]


@holds(mutated(ENV), examples=200)
def test_every_env_file_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_bytes(data)
        said = ""
        try:
            found = env_file.read(path)
        except UsageError as error:
            found, said = {}, str(error)

    if said:
        assert str(path) in said
        assert not is_text(data) or re.search("line [0-9]+", said)
    for name, value in found.items():
        assert isinstance(name, str)
        assert isinstance(value, str)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
