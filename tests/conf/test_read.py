import os
from pathlib import Path

import pytest

from zdd.conf.nginx_section import NginxSection
from zdd.conf.read import find, load
from zdd.conf.schema import Config, ReleaseSection, ZddSection
from zdd.conf.services import ClassicService, RunService, classic
from zdd.conf.units import Statuses
from zdd.errors import UsageError

# The sample of the first release, byte for byte.
OLD = b"""\
[nginx]
template: ./nginx.conf.template
pid_file: ./nginx.pid

[service:gunicorn]
pid_file: gunicorn.pid
start: gunicorn -D -c settings_gunicorn.py app:app
stop: kill -WINCH
"""

FULL = """\
[zdd]
project = "shop"
state_dir = "state"
runtime_dir = "/run/shop"
lock_timeout = "30s"
before_start = "./migrate"
hook_timeout = "1h"

[nginx]
listen = [80, "127.0.0.1:8080", "[::1]:80"]
server_name = ["shop.example.org", "*.shop.example.org"]
client_max_body_size = "1G"
proxy_read_timeout = 90
user = "www-data"

[service.web]
run = "gunicorn app:app"
cwd = "."
env_file = "../secrets.env"
instances = 4
host = "shop.example.org"
health_path = "/health?deep=1"
health_status = 204
start_timeout = 1.5
stop_signal = "SIGINT"
bake = "1m"

[service.web.env]
LOG_LEVEL = "info"
THREADS = 4

[service.api]
run = "api --listen {socket}"
socket = "unix"
path = "/api"

[service.mail]
run = "mailer"
socket = "none"
health_command = "mailer --ping"

[release]
source = "git@example.org:shop.git"
rev = "main"
build = ["uv sync", "make assets"]
shared = ["uploads/"]
assets = ["./public/assets"]
keep_releases = 3
"""

# The same in INI.
FULL_INI = """\
[zdd]
project = shop
state_dir = state
runtime_dir = /run/shop
lock_timeout = 30s
before_start = ./migrate
hook_timeout = 1h

[nginx]
listen =
    80
    127.0.0.1:8080
    [::1]:80
server_name = shop.example.org
    # and all below
    *.shop.example.org
client_max_body_size = 1G
proxy_read_timeout = 90
user = www-data

[service:web]
run = gunicorn app:app
cwd = .
env =
    LOG_LEVEL = info
    THREADS=4
env_file = ../secrets.env
instances = 4
host = shop.example.org
health_path = /health?deep=1
health_status = 204
start_timeout = 1.5
stop_signal = SIGINT
bake = 1m

[service:api]
run = api --listen {socket}
socket = unix
path = /api

[service:mail]
run = mailer
socket = none
health_command = mailer --ping

[release]
source = git@example.org:shop.git
rev = main
build =
    uv sync
    make assets
shared = uploads/
assets = ./public/assets
keep_releases = 3
"""


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "shop", "nginx.conf.template", "")
    return tmp_path / "shop"


def test_the_first_sample_is_read_as_ever(folder: Path) -> None:
    config = load(write(folder, "deploy.conf", OLD))

    gunicorn = ClassicService(
        name="gunicorn",
        start="gunicorn -D -c settings_gunicorn.py app:app",
        stop="kill -WINCH",
        pid_file=folder / "gunicorn.pid",
        cwd=folder,
    )
    expected = Config(
        path=folder / "deploy.conf",
        folder=folder,
        project="shop",
        zdd=ZddSection(),
        nginx=NginxSection(template=folder / "nginx.conf.template", pid_file=folder / "nginx.pid"),
        services={"gunicorn": gunicorn},
        release=None,
        warnings=[],
    )
    assert expected == config


def test_a_full_toml_file_means_what_it_says(folder: Path) -> None:
    config = load(write(folder, "deploy.toml", FULL))

    assert config.project == "shop"
    assert config.zdd == ZddSection(
        project="shop",
        state_dir=folder / "state",
        runtime_dir=Path("/run/shop"),
        lock_timeout=30,
        before_start="./migrate",
        hook_timeout=3600,
    )
    assert config.nginx == NginxSection(
        listen=["80", "127.0.0.1:8080", "[::1]:80"],
        listen_is_set=True,
        server_name=["shop.example.org", "*.shop.example.org"],
        client_max_body_size=1 << 30,
        proxy_read_timeout=90,
        user="www-data",
    )
    web = RunService(
        name="web",
        run="gunicorn app:app",
        cwd=folder,
        env={"LOG_LEVEL": "info", "THREADS": "4"},
        env_file=folder.parent / "secrets.env",
        instances=4,
        host=["shop.example.org"],
        health_path="/health?deep=1",
        health_status=Statuses.parse("204"),
        start_timeout=1.5,
        stop_signal="INT",
        bake=60,
    )
    api = RunService(name="api", run="api --listen {socket}", socket="unix", path="/api")
    mail = RunService(name="mail", run="mailer", socket="none", health_command="mailer --ping", keep_warm=0)
    assert list(config.services.items()) == [("web", web), ("api", api), ("mail", mail)]
    assert config.release == ReleaseSection(
        source="git@example.org:shop.git",
        rev="main",
        build=["uv sync", "make assets"],
        shared=["uploads/"],
        assets=["public/assets"],
        keep_releases=3,
    )
    assert config.warnings == []


def test_ini_and_toml_mean_the_same(folder: Path) -> None:
    toml = load(write(folder, "deploy.toml", FULL))
    ini = load(write(folder, "deploy.conf", FULL_INI))

    assert (ini.zdd, ini.nginx, ini.release) == (toml.zdd, toml.nginx, toml.release)
    assert list(ini.services.items()) == list(toml.services.items())
    assert (ini.project, ini.warnings) == (toml.project, toml.warnings)


def test_the_least_file_is_one_service_with_run(folder: Path) -> None:
    config = load(write(folder, "deploy.toml", '[service.web]\nrun = "app"\n'))

    assert config.services == {"web": RunService(name="web", run="app")}
    assert config.nginx.listen == ["127.0.0.1:8080"]
    assert config.apps["web"].health_status.allows(299)


def test_the_folder_is_not_resolved_through_symlinks(tmp_path: Path, folder: Path) -> None:
    write(folder, "deploy.toml", '[service.web]\nrun = "app"\ncwd = "../x/./y"\n')
    (tmp_path / "current").symlink_to(folder)

    config = load(tmp_path / "current" / "deploy.toml")

    assert (config.folder, config.project) == (tmp_path / "current", "current")
    assert config.apps["web"].cwd == tmp_path / "x" / "y"


def test_a_relative_path_is_made_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "deploy.toml", '[service.web]\nrun = "app"\n')
    monkeypatch.chdir(folder)

    assert load(Path("deploy.toml")).path == folder / "deploy.toml"


def test_a_byte_order_mark_is_passed_over(folder: Path) -> None:
    text = '[service.web]\nrun = "app"\n'.encode("utf-8-sig")

    assert list(load(write(folder, "deploy.toml", text)).services) == ["web"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (".", "FOLDER"),
        ("../code", "PARENT/code"),
        ("https://example.org/shop.git", "https://example.org/shop.git"),
        ("git@example.org:shop.git", "git@example.org:shop.git"),
        ("./odd:name", "FOLDER/odd:name"),
    ],
)
def test_a_source_is_a_path_or_a_url_as_git_sees_it(folder: Path, source: str, expected: str) -> None:
    text = f'[service.web]\nrun = "app"\n[release]\nsource = "{source}"\n'
    release = load(write(folder, "deploy.toml", text)).release

    assert release is not None
    assert release.source == expected.replace("FOLDER", str(folder)).replace("PARENT", str(folder.parent))


def test_two_services_may_share_a_route_when_somebody_else_does_the_routing(folder: Path) -> None:
    text = '[nginx]\ntemplate = "nginx.conf.template"\n[service.a]\nrun = "app"\n[service.b]\nrun = "app"\n'

    assert list(load(write(folder, "deploy.toml", text)).services) == ["a", "b"]


def test_services_may_share_a_path_on_different_hosts(folder: Path) -> None:
    text = (
        '[service.a]\nrun = "app"\nhost = "a.org"\n[service.b]\nrun = "app"\nhost = "b.org"\n[service.c]\nrun = "c"\n'
    )

    assert list(load(write(folder, "deploy.toml", text)).services) == ["a", "b", "c"]


# Classic files


def test_what_the_old_tool_did_not_know_is_ignored_with_one_warning(folder: Path) -> None:
    text = OLD.decode().replace("[nginx]\n", "[nginx]\nlisten: eighty\nworkers = 4\n")
    text += "colour = red\nsize = %(broken\n[fabric]\nhosts = a\n[fabric]\nhosts = b\n"
    config = load(write(folder, "deploy.conf", text))

    words = "[nginx] listen, workers; [service:gunicorn] colour, size; [fabric]"
    assert config.warnings == [f"{folder}/deploy.conf: ignored, because zdd does not know it: {words}"]
    assert config.nginx.listen == ["127.0.0.1:8080"]


def test_keys_that_only_feed_others_are_worth_no_warning(folder: Path) -> None:
    text = "[DEFAULT]\nuser = me\nbase = run\n" + OLD.decode().replace("gunicorn.pid", "%(base)s/%(own)s.pid\nown = g")
    config = load(write(folder, "deploy.conf", text))

    assert config.warnings == []
    assert isinstance(service := config.services["gunicorn"], ClassicService)
    assert service.pid_file == folder / "run" / "g.pid"
    assert config.nginx.user is None


def test_a_classic_service_may_use_what_is_new(folder: Path) -> None:
    text = OLD.decode() + "cwd: app\nhealth_path: /health\nstart_timeout: 2m\n[zdd]\nafter_deploy = date +%s\n"
    config = load(write(folder, "deploy.conf", text))

    service = classic(config.services)["gunicorn"]
    assert (service.cwd, service.health_path, service.start_timeout) == (folder / "app", "/health", 120)
    assert config.zdd.after_deploy == "date +%s"


def test_an_empty_cwd_is_the_folder_as_ever(folder: Path) -> None:
    config = load(write(folder, "deploy.conf", OLD.decode() + "cwd:\n"))

    assert classic(config.services)["gunicorn"].cwd == folder


def test_a_classic_service_has_whatever_name_it_had(folder: Path) -> None:
    config = load(write(folder, "deploy.conf", OLD.replace(b"service:gunicorn", b"service:My App.2")))

    assert list(config.services) == ["My App.2"]


@pytest.mark.parametrize(
    ("name", "project"), [("My Shop!", "my-shop"), ("__x", "x"), ("é", "project"), ("a" * 40, "a" * 31)]
)
def test_a_classic_project_in_a_folder_of_any_name_gets_a_fitting_one(folder: Path, name: str, project: str) -> None:
    folder = folder.rename(folder.with_name(name))

    assert load(write(folder, "deploy.conf", OLD)).project == project


def test_a_mixed_file_is_strict_but_for_its_classic_services(folder: Path) -> None:
    text = OLD.decode() + "colour = %(__name__)s\n[service:web]\nrun = date +%d\n[DEFAULT]\nstop = kill\n"
    config = load(write(folder, "deploy.conf", text))

    assert config.warnings == [
        f"{folder}/deploy.conf: ignored, because zdd does not know it: [service:gunicorn] colour"
    ]
    assert config.services["web"] == RunService(name="web", run="date +%d")
    with pytest.raises(UsageError, match=r"\[nginx\] colour is not a known key"):
        load(write(folder, "deploy.conf", text.replace("[nginx]\n", "[nginx]\ncolour = red\n")))


def test_a_classic_service_may_stand_in_toml_where_all_is_strict(folder: Path) -> None:
    text = '[nginx]\ntemplate = "nginx.conf.template"\npid_file = "n.pid"\n'
    text += '[service.a]\nstart = "a 100%"\nstop = "kill"\npid_file = "a.pid"\n'
    service = load(write(folder, "deploy.toml", text)).services["a"]

    assert isinstance(service, ClassicService)
    assert (service.start, service.cwd) == ("a 100%", folder)
    with pytest.raises(UsageError, match=r"\[service.a\] colour is not a known key"):
        load(write(folder, "deploy.toml", text + "colour = 1\n"))


# Finding the file


@pytest.mark.parametrize("name", ["deploy.toml", "deploy.conf"])
def test_the_configuration_is_found_under_both_names(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "")

    assert find(None, tmp_path) == tmp_path / name


def test_the_configuration_that_was_named_is_taken_whatever_else_there_is(tmp_path: Path) -> None:
    write(tmp_path, "deploy.toml", "")
    write(tmp_path, "deploy.conf", "")

    assert find(Path("../other.toml"), tmp_path) == tmp_path.parent / "other.toml"
    assert find(Path("/etc/shop.conf"), tmp_path) == Path("/etc/shop.conf")


def test_two_configurations_need_a_choice(tmp_path: Path) -> None:
    write(tmp_path, "deploy.toml", "")
    write(tmp_path, "deploy.conf", "")

    with pytest.raises(UsageError) as caught:
        find(None, tmp_path)
    assert str(caught.value) == f"{tmp_path} holds both deploy.toml and deploy.conf"
    assert caught.value.hint == "say which one with -c, as in -c deploy.toml"


def test_no_configuration_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(None, tmp_path)
    assert str(caught.value) == f"no deploy.toml or deploy.conf in {tmp_path}"
    assert "-c" in str(caught.value.hint)


# Files that cannot be read


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot read {tmp_path}/deploy.conf: No such file or directory"):
        load(tmp_path / "deploy.conf")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot read {tmp_path}: Is a directory"):
        load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    write(tmp_path, "deploy.conf", OLD).chmod(0)

    with pytest.raises(UsageError, match=r"deploy.conf: Permission denied"):
        load(tmp_path / "deploy.conf")


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "deploy.conf", OLD + b"# caf\xe9\n")

    with pytest.raises(UsageError, match=f"{path}: not UTF-8: line 9 has the byte 0xe9"):
        load(path)


@pytest.mark.parametrize(
    ("toml", "ini", "expected"),
    [
        ("true", "true", True),
        ("false", "False", False),
        ('"logs/shop.log"', "logs/shop.log", "FOLDER/logs/shop.log"),
        ('"/var/log/shop.log"', "/var/log/shop.log", "/var/log/shop.log"),
    ],
)
def test_the_access_log_is_a_switch_or_a_path(folder: Path, toml: str, ini: str, expected: bool | str) -> None:
    mine = "" if isinstance(expected, bool) else "include = X\nreload = X\n"
    for name, value, service in (("deploy.toml", toml, "service.web"), ("deploy.conf", ini, "service:web")):
        keys = mine.replace("X", '"x"' if name.endswith("toml") else "x")
        run = 'run = "app"' if name.endswith("toml") else "run = app"
        config = load(write(folder, name, f"[nginx]\n{keys}access_log = {value}\n[{service}]\n{run}\n"))
        wanted = expected.replace("FOLDER", str(folder)) if isinstance(expected, str) else expected
        assert config.nginx.access_log == wanted
