"""Every configuration that is refused, with the words that say so."""

import re
from pathlib import Path

import pytest

from zdd.conf.read import load
from zdd.errors import UsageError

DURATION = "it must be a duration such as 500ms, 30s, 5m, 1h"
TIMEOUT = "it must be a duration longer than 0 such as 500ms, 30s, 5m, 1h"
NAME = "a to z, 0 to 9, - and _, at most 31, the first a letter or digit"
ROUTE = 'it must be a path that starts with "/"'
LISTEN = "it must be a port or address such as 8080, 127.0.0.1:8080 or [::1]:8080"
WHERE = "it must be paths inside the release such as public/uploads"
ASSETS = "it must be paths inside the release such as public/assets, or URL path = folder"
NGINX = '[nginx]\ntemplate = "nginx.conf.template"\npid_file = "nginx.pid"\n'
INI_NGINX = "\n[nginx]\ntemplate = nginx.conf.template\npid_file = nginx.pid"
CLASSIC = '[service.old]\nstart = "a"\nstop = "b"\npid_file = "c"\n'


def refusal(folder: Path, name: str, text: str) -> str:
    folder.joinpath("nginx.conf.template").touch()
    path = folder / name
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    assert message.startswith(f"{path}: ")
    return re.sub("^line [0-9]+: ", "", message.removeprefix(f"{path}: ")).replace(str(folder), "FOLDER")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


UNKNOWN_KEYS = [
    ("start_timeot = 1", "start_timeot is not a known key; did you mean start_timeout?"),
    ("Start-Timeout = 1", "Start-Timeout is not a known key; did you mean start_timeout?"),
    ("command = 1", "command is not a known key; did you mean run?"),
    ("cmd = 1", "cmd is not a known key; did you mean run?"),
    ("exec = 1", "exec is not a known key; did you mean run?"),
    ("start_command = 1", "start_command is not a known key; did you mean run?"),
    ("healthcheck = 1", "healthcheck is not a known key; did you mean health_path?"),
    ("health_check = 1", "health_check is not a known key; did you mean health_path?"),
    ("workers = 1", "workers is not a known key; did you mean instances?"),
    ("replicas = 1", "replicas is not a known key; did you mean instances?"),
    ("environment = 1", "environment is not a known key; did you mean env?"),
    ("workdir = 1", "workdir is not a known key; did you mean cwd?"),
    ("directory = 1", "directory is not a known key; did you mean cwd?"),
    (
        "port = 80",
        'port is not a known key; a service that can only listen on a TCP port has socket = "tcp" and reads PORT',
    ),
    ("pid_file = 1", "pid_file is not a known key; pid_file goes with start, in a service without run"),
    ("listen = 80", "listen is not a known key; it belongs in [nginx]"),
    ("keep_releases = 1", "keep_releases is not a known key; it belongs in [release]"),
    ("xyzzy = 1", "xyzzy is not a known key"),
]


@pytest.mark.parametrize(("key", "words"), UNKNOWN_KEYS)
def test_an_unknown_key_of_a_service_is_refused_with_the_nearest(folder: Path, key: str, words: str) -> None:
    assert refusal(folder, "deploy.toml", f'[service.web]\nrun = "app"\n{key}\n') == f"[service.web] {words}"


def test_an_unknown_key_comes_before_a_missing_one(folder: Path) -> None:
    words = "[service.web] command is not a known key; did you mean run?"

    assert refusal(folder, "deploy.toml", '[service.web]\ncommand = "app"\n') == words


def test_the_hint_of_an_unknown_key_lists_what_there_is(folder: Path) -> None:
    path = folder / "deploy.toml"
    path.write_text('[service.web]\nrun = "app"\n[release]\nxyzzy = 1\n')

    with pytest.raises(UsageError) as caught:
        load(path)
    assert caught.value.hint == "[release] may have source, rev, build, shared, assets, keep_releases"


UNKNOWN_SECTIONS = [
    ("[zdd]\nname = 1", "[zdd] name is not a known key; did you mean project?"),
    ("[zdd]\nbefore_strat = 1", "[zdd] before_strat is not a known key; did you mean before_start?"),
    ("[zdd]\nrun = 1", "[zdd] run is not a known key; it belongs in [service.NAME]"),
    ("[nginx]\nport = 1", "[nginx] port is not a known key; did you mean listen?"),
    ("[nginx]\npath = 1", "[nginx] path is not a known key; it belongs in [service.NAME]"),
    ("[release]\nsource = '.'\nbranch = 1", "[release] branch is not a known key; did you mean rev?"),
    ("[release]\nrepo = 1", "[release] repo is not a known key; did you mean source?"),
    ("[release]\nrev = 'main'", "[release] needs source"),
    ("[ngnix]\n", "[ngnix] is not a known section; did you mean [nginx]?"),
    ("[services.web]\n", "[services] is not a known section; the section of a service is written [service.NAME]"),
    ("[api]\nrun = 'x'", "[api] is not a known section; the section of a service is written [service.NAME]"),
    (
        "[deployment]",
        "[deployment] is not a known section; there are [zdd], [nginx], [service.NAME] and [release]",
    ),
    (
        "['service:x']\n",
        "[service:x] is not a known section; the section of a service is written [service.NAME]",
    ),
    ("[service]\nrun = 'x'", "[service] run belongs in the section of a service: [service.NAME]"),
]


@pytest.mark.parametrize(("section", "words"), UNKNOWN_SECTIONS)
def test_an_unknown_section_or_key_of_one_is_refused(folder: Path, section: str, words: str) -> None:
    # a table without a section would end up in the one before it, so it comes first
    assert refusal(folder, "deploy.toml", f'{section}\n[service.web]\nrun = "app"\n') == words


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ("run = 1", "it must be a command"),
        ('run = ""', "it must be a command"),
        ('socket = "udp"', "it must be one of fd, unix, tcp, none"),
        ('protocol = "http2"', "it must be http or grpc"),
        ('sticky = "path"', "it must be ip, or a cookie's name such as cookie:sid"),
        ('sticky = "cookie:"', "it must be ip, or a cookie's name such as cookie:sid"),
        ('sticky = "cookie:a b"', "it must be ip, or a cookie's name such as cookie:sid"),
        ("sticky = true", "it must be ip, or a cookie's name such as cookie:sid"),
        ("cwd = 3", "it must be a path"),
        ('cwd = ""', "it must be a path"),
        ("user = 1000", "it must be the name of a user or group"),
        ('group = "a b"', "it must be the name of a user or group"),
        ("instances = 0", "it must be a whole number from 1 to 100"),
        ("instances = 101", "it must be a whole number from 1 to 100"),
        ("instances = 1.0", "it must be a whole number from 1 to 100"),
        ('instances = "2"', "it must be a whole number from 1 to 100"),
        ("instances = true", "it must be a whole number from 1 to 100"),
        ('host = "a.org;"', "it must be host names such as shop.example.org"),
        ('path = "/a b"', ROUTE),
        ('path = "/{"', ROUTE),
        ('health_host = ""', "it must be a host name such as shop.example.org"),
        ("health_status = 99", "it must be HTTP statuses such as 200-299 or 200,301-302"),
        ('start_timeout = "soon"', TIMEOUT),
        ("start_timeout = 0", TIMEOUT),
        ('start_timeout = "0s"', TIMEOUT),
        ("health_timeout = true", TIMEOUT),
        ("drain_timeout = -1", DURATION),
        ("drain_timeout = inf", DURATION),
        ("stop_timeout = 1979-05-27", DURATION),
        ('stop_signal = "KILLALL"', "it must be a signal's name such as TERM, QUIT or SIGINT"),
        ("stop_signal = 15", "it must be a signal's name such as TERM, QUIT or SIGINT"),
        ('bake = "1d"', DURATION),
        ('before_start = ["a", "b"]', "it must be a shell command"),
    ],
)
def test_a_value_that_is_not_allowed_is_shown_with_what_is(folder: Path, setting: str, allowed: str) -> None:
    text = f"[service.web]\n{setting}\n" + ("" if setting.startswith("run") else 'run = "app"\n')
    shown = setting.replace("1979-05-27", "datetime.date(1979, 5, 27)").replace('["a", "b"]', "['a', 'b']")

    assert refusal(folder, "deploy.toml", text) == f"[service.web] {shown} is not allowed; {allowed}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[zdd]\nlock_timeout = []", f"[zdd] lock_timeout = [] is not allowed; {DURATION}"),
        ("[zdd]\nhook_timeout = 0", f"[zdd] hook_timeout = 0 is not allowed; {TIMEOUT}"),
        ("[zdd]\nproject = 'Shop'", f'[zdd] project = "Shop" is not allowed; use {NAME}, such as shop'),
        ("[nginx]\nlisten = 0", f"[nginx] listen = 0 is not allowed; {LISTEN}"),
        ("[nginx]\nlisten = 65536", f"[nginx] listen = 65536 is not allowed; {LISTEN}"),
        ("[nginx]\nlisten = []", f"[nginx] listen = [] is not allowed; {LISTEN}"),
        ("[nginx]\nlisten = ['80', 'unix:/x']", f'[nginx] listen = "unix:/x" is not allowed; {LISTEN}'),
        ("[nginx]\nlisten = '80 ssl'", f'[nginx] listen = "80 ssl" is not allowed; {LISTEN}'),
        ("[nginx]\nlisten = '127.0.0.1'", f'[nginx] listen = "127.0.0.1" is not allowed; {LISTEN}'),
        ("[nginx]\nlisten = true", f"[nginx] listen = true is not allowed; {LISTEN}"),
        (
            "[nginx]\nclient_max_body_size = '64MB'",
            '[nginx] client_max_body_size = "64MB" is not allowed; it must be a size such as 512K, 64M, 1G',
        ),
        (
            "[release]\nsource = 1",
            "[release] source = 1 is not allowed; it must be a folder or the URL of a git repository",
        ),
        ("[release]\nsource = '.'\nbuild = [1]", "[release] build = 1 is not allowed; it must be shell commands"),
        ("[release]\nsource = '.'\nshared = ['/var']", f'[release] shared = "/var" is not allowed; {WHERE}'),
        ("[release]\nsource = '.'\nassets = ['a/../../b']", f'[release] assets = "a/../../b" is not allowed; {ASSETS}'),
        ("[release]\nsource = '.'\nassets = '.'", f'[release] assets = "." is not allowed; {ASSETS}'),
        (
            "[release]\nsource = '.'\nkeep_releases = 0",
            "[release] keep_releases = 0 is not allowed; it must be a whole number from 1 to 1000",
        ),
    ],
)
def test_values_of_other_sections_are_refused_alike(folder: Path, text: str, words: str) -> None:
    assert refusal(folder, "deploy.toml", f'{text}\n[service.web]\nrun = "app"\n') == words


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ("env = 1", "env = 1"),
        ("env = {'A B' = 'secret'}", 'env = "A B"'),
        ("env = {A = true}", 'env = "A"'),
        ('env = {A = "\\u0000"}', 'env = "A"'),
    ],
)
def test_a_wrong_variable_is_named_but_its_value_is_not_shown(folder: Path, env: str, shown: str) -> None:
    allowed = "it must be variables, each once, such as LOG_LEVEL=info"
    words = f"[service.web] {shown} is not allowed; {allowed}"

    assert refusal(folder, "deploy.toml", f'[service.web]\nrun = "app"\n{env}\n') == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[service.web]\nrun = "app"\nstart = "app"',
            "[service.web] run and start exclude each other: run stays in the foreground, start does not",
        ),
        ("[service.web]\ninstances = 2", "[service.web] needs run, or static, or else start, stop and pid_file"),
        (NGINX + "[service.web]\nstart = 'x'", "[service.web] needs stop and pid_file"),
        (
            "[service.web]\nrun = 'app \"x'",
            '[service.web] run = "app "x" cannot be split into words: no closing quotation',
        ),
        ("[service.web]\nrun = \"''\"", "[service.web] run = \"''\" names no program"),
        (
            '[service.web]\nrun = "app"\nsocket = "none"\nhealth_path = "/"',
            '[service.web] health_path and socket = "none" exclude each other: such a service has no connections',
        ),
        (
            '[service.web]\nrun = "app"\nsocket = "none"\npath = "/x"',
            '[service.web] path and socket = "none" exclude each other: such a service has no connections',
        ),
        (
            '[service.web]\nrun = "app"\nsocket = "none"\nsticky = "ip"',
            '[service.web] sticky and socket = "none" exclude each other: such a service has no connections',
        ),
        (
            '[service.web]\nrun = "app"\nsocket = "none"\nprotocol = "grpc"',
            '[service.web] protocol and socket = "none" exclude each other: such a service has no connections',
        ),
        (
            '[service.web]\nrun = "app"\nprotocol = "grpc"\nhealth_path = "/x"',
            '[service.web] health_path has no effect with protocol = "grpc", whose health is asked by '
            "grpc.health.v1.Health, or by health_command",
        ),
        (
            NGINX + CLASSIC + 'sticky = "ip"\n',
            "[service.old] sticky is not a known key; sticky goes with run, in a service without start",
        ),
        (
            '[service.web]\nrun = "npm start"\nsocket = "tcp"\nruntime = "node"',
            '[service.web] runtime = "node" needs socket = "fd", but here is socket = "tcp"',
        ),
        (
            '[service.web]\nrun = "npm start"\nruntime = "deno"',
            '[service.web] runtime = "deno" is not allowed; it must be auto, node or none',
        ),
        (
            '[service.web]\nrun = "app"\nhealth_command = "true"\nhealth_path = "/"',
            "[service.web] health_command and health_path exclude each other: a service has one health check",
        ),
        (
            '[service.web]\nrun = "app {socket}"',
            '[service.web] {socket} in run needs socket = "unix", but here is socket = "fd"',
        ),
        (
            '[service.web]\nrun = "app {fd}"\nsocket = "tcp"',
            '[service.web] {fd} in run needs socket = "fd", but here is socket = "tcp"',
        ),
        (
            '[service.web]\nrun = "app"\nenv = {PORT = "{port}"}',
            '[service.web] {port} in env PORT needs socket = "tcp", but here is socket = "fd"',
        ),
        (
            '[service.web]\nrun = "app"\nsocket = "unix"',
            '[service.web] socket = "unix" needs {socket} in run or env',
        ),
        (
            '[service.a]\nrun = "app"\n[service.b]\nrun = "app"',
            "[service.b] has the same route as service a: every host, path /; give one of them another host or path",
        ),
        (
            '[service.a]\nrun = "a"\nhost = ["x.org", "Y.org"]\npath = "/p"\n'
            '[service.b]\nrun = "b"\nhost = "y.org"\npath = "/p"',
            "[service.b] has the same route as service a: y.org, path /p; give one of them another host or path",
        ),
        ('[service.Web]\nrun = "app"', f'[service.Web] "Web" cannot name a service, which takes {NAME}'),
        (
            f'[service.{"a" * 32}]\nrun = "app"',
            f'[service.{"a" * 32}] "{"a" * 32}" cannot name a service, which takes {NAME}',
        ),
        (
            '[service.nginx_pid_filename]\nrun = "app"',
            "[service.nginx_pid_filename] nginx_pid_filename cannot name a service; "
            "in templates it stands for nginx's pid file",
        ),
        (
            '[service.deploy]\nrun = "app"',
            "[service.deploy] deploy cannot name a service; deploys' own logs have that name",
        ),
        ('[service."a\\nb"]\nrun = "app"', f'[service.a\\nb] "a\\nb" cannot name a service, which takes {NAME}'),
        (CLASSIC, "[nginx] needs template and pid_file, because service old has start"),
        ('[nginx]\npid_file = "x"\n' + CLASSIC, "[nginx] needs template, because service old has start"),
        (
            NGINX + CLASSIC.replace("old", '"a/b"'),
            '[service.a/b] "a/b" cannot name a service; it must be a file name without /',
        ),
        (
            NGINX + CLASSIC.replace("old", '".."'),
            '[service...] ".." cannot name a service; it must be a file name without /',
        ),
        ("[zdd]\n", "there are no services; add a section such as [service.web] with run"),
        ("", "there are no services; add a section such as [service.web] with run"),
    ],
)
def test_an_impossible_combination_is_refused(folder: Path, text: str, words: str) -> None:
    assert refusal(folder, "deploy.toml", text) == words


@pytest.mark.parametrize(
    ("nginx", "words"),
    [
        (
            'template = "nginx.conf"',
            '[nginx] template = "FOLDER/nginx.conf" is not allowed; its name must end with .template',
        ),
        (
            'template = "no.template"',
            "[nginx] cannot read template FOLDER/no.template: No such file or directory",
        ),
        (
            'template = "nginx.conf.template"\ninclude = "zdd.conf"\nreload = "x"',
            "[nginx] template and include exclude each other: with include zdd runs no nginx",
        ),
        ('include = "zdd.conf"', "[nginx] include needs reload, the command that reloads that nginx"),
        ('reload = "x"', "[nginx] reload goes with include; zdd tests and reloads its own nginx itself"),
        ('test = "x"', "[nginx] test goes with include; zdd tests and reloads its own nginx itself"),
        (
            'access_log = "/var/log/shop.log"',
            '[nginx] access_log = "/var/log/shop.log" goes with template or include; zdd\'s own nginx logs in its '
            "state folder: access_log = true",
        ),
        (
            'template = "nginx.conf.template"\naccess_log = true',
            "[nginx] access_log = true has no effect with template: name the log that your server block writes in "
            "zdd's format",
        ),
        (
            'include = "zdd.conf"\nreload = "x"\naccess_log = true',
            "[nginx] access_log = true has no effect with include: name the log that your server block writes in "
            "zdd's format",
        ),
        (
            'access_log = "true"',
            '[nginx] access_log = "true" is not allowed; it must be true, false or the path of a log; write it without '
            "quotes",
        ),
        (
            "access_log = 'off'",
            '[nginx] access_log = "off" is not allowed; it must be true, false or the path of a log',
        ),
        (
            "access_log = 1",
            "[nginx] access_log = 1 is not allowed; it must be true, false or the path of a log",
        ),
        (
            'template = "nginx.conf.template"\nlisten = 80',
            "[nginx] listen has no effect with template; set it in that server block",
        ),
        (
            'include = "zdd.conf"\nreload = "x"\nserver_name = "a.org"',
            "[nginx] server_name has no effect with include; set it in that server block",
        ),
    ],
)
def test_an_impossible_nginx_section_is_refused(folder: Path, nginx: str, words: str) -> None:
    assert refusal(folder, "deploy.toml", f'[nginx]\n{nginx}\n[service.web]\nrun = "app"\n') == words


def test_a_route_that_zdd_would_not_write_is_refused(folder: Path) -> None:
    text = NGINX + '[service.web]\nrun = "app"\npath = "/x"\n'
    words = "[service.web] path has no effect with template in [nginx], which does the routing"

    assert refusal(folder, "deploy.toml", text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[zdd\n", "not TOML: Expected ']' at the end of a table declaration (column 5): [zdd"),
        ("[zdd]\nproject = shop\n", "not TOML: Invalid value (column 11): project = shop"),
        ("project = 'x'\n", "project is outside of any section; move it into [zdd] or the one it belongs to"),
        ("service = 1\n", "service is outside of any section; move it into [zdd] or the one it belongs to"),
    ],
)
def test_what_is_not_toml_is_refused_with_the_line(folder: Path, text: str, words: str) -> None:
    assert refusal(folder, "deploy.toml", text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[service:web]\nrun = app\nrunn = 1", "[service:web] runn is not a known key; did you mean run?"),
        (
            "[service:web]\nrun = app\nport = 80",
            "[service:web] port is not a known key; "
            "a service that can only listen on a TCP port has socket = tcp and reads PORT",
        ),
        ("[service:web]\nrun = app\nbake = soon", f"[service:web] bake = soon is not allowed; {DURATION}"),
        (
            "[service:web]\nrun = app\ninstances = two",
            "[service:web] instances = two is not allowed; it must be a whole number from 1 to 100",
        ),
        (
            "[service:web]\nrun = app\nenv = A=1\n  A=2",
            "[service:web] env = A is not allowed; it must be variables, each once, such as LOG_LEVEL=info",
        ),
        (
            "[service:web]\nrun = app\nenv = A=1\n  B 2",
            "[service:web] env = B 2 is not allowed; it must be variables, each once, such as LOG_LEVEL=info",
        ),
        ("[service:web]\nrun =", "[service:web] run = is not allowed; it must be a command"),
        (
            "[service:web]\nrun = app\npath = a\n b",
            f"[service:web] path = a\\nb is not allowed; {ROUTE}",
        ),
        (
            "[service.web]\nrun = app",
            "[service.web] is not a known section; the section of a service is written [service:NAME]",
        ),
        (
            "[service:web]\nrun = app\nstart = app",
            "[service:web] run and start exclude each other: run stays in the foreground, start does not",
        ),
        (
            "[service:web]\nrun = app\n[DEFAULT]\na = b",
            "[DEFAULT] is only for classic services, those with start",
        ),
        ("[service:old]\nstart = a\nstop = b" + INI_NGINX, "[service:old] needs pid_file"),
        ("[service:old]\nstart = a\nstop =\npid_file = c" + INI_NGINX, "[service:old] needs stop"),
        (
            "[service:old]\nstart = a %d\nstop = b\npid_file = c" + INI_NGINX,
            "[service:old] start: a % must be followed by % or (key)s",
        ),
        (
            "[service:old]\nstart = a\nstop = b\npid_file = c\n[nginx]\ntemplate = nginx.conf.template",
            "[nginx] needs pid_file, because service old has start",
        ),
        (
            "[service:old]\nstart = a\nstop = b\npid_file = c\nstart_timeout = x" + INI_NGINX,
            f"[service:old] start_timeout = x is not allowed; {TIMEOUT}",
        ),
        (
            "[service:old]\nstart = a\nstop = b\npid_file = c\n[zdd]\nafter_deplyo = x" + INI_NGINX,
            "[zdd] after_deplyo is not a known key; did you mean after_deploy?",
        ),
    ],
)
def test_ini_files_are_refused_in_their_own_notation(folder: Path, text: str, words: str) -> None:
    assert refusal(folder, "deploy.conf", text) == words


def test_a_long_value_is_cut_in_the_message(folder: Path) -> None:
    message = refusal(folder, "deploy.toml", f'[service.web]\nrun = "app"\nbake = "{"x" * 200}"\n')

    assert message == f'[service.web] bake = "{"x" * 77}..." is not allowed; {DURATION}'


@pytest.mark.parametrize(("name", "proposal"), [("My Shop", "my-shop"), ("_é_", "project")])
def test_a_folder_whose_name_fits_no_project_is_refused_with_a_proposal(
    tmp_path: Path, name: str, proposal: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()

    words = f'the folder\'s name "{name}" cannot name the project, which takes {NAME}; add [zdd] project = '
    assert refusal(folder, "deploy.toml", '[service.web]\nrun = "app"\n') == f'{words}"{proposal}"'
    assert refusal(folder, "deploy.conf", "[service:web]\nrun = app\n") == f"{words}{proposal}"


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("[zdd]", 'state_dir = "~/state"'),
        ("[zdd]", 'runtime_dir = "~"'),
        ("[nginx]", 'include = "~root/shop.conf"'),
        ("[release]", 'source = "~/code"'),
        ("[release]", 'source = "."\nshared = ["~/uploads"]'),
        ("[service.job]", 'run = "job"\npath = "/job"\nenv_file = "~/job.env"'),
    ],
)
def test_a_path_of_a_shell_is_refused_with_the_path_that_it_is(folder: Path, section: str, line: str) -> None:
    said = refusal(folder, "deploy.toml", f'{section}\n{line}\n[service.web]\nrun = "app"\n')

    assert 'zdd does not replace ~: write "/' in said


def test_only_the_first_word_of_a_path_can_be_a_home(folder: Path) -> None:
    text = '[service.web]\nrun = "app"\ncwd = "./~"\nenv_file = "web.env~"\n'
    (folder / "deploy.toml").write_text(text)

    web = load(folder / "deploy.toml").apps["web"]

    assert (str(web.cwd), str(web.env_file)) == (f"{folder}/~", f"{folder}/web.env~")
