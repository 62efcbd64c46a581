"""What is read in a user's template, with what it includes; no nginx is started."""

from __future__ import annotations

import os
from pathlib import Path

from tests.machine import free_port
from zdd.conf import read
from zdd.finding import Finding
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.nginx.config.listen import Visit
from zdd.nginx.managed import ManagedNginx
from zdd.paths import Paths
from zdd.routing.manifest import Instance, Manifest

WEB = Manifest(1, "deploy", {f"web-{number}": Instance(f"web-{number}", "web", "fd") for number in (1, 2)})
GOOD = """
pid {nginx_pid_filename};
events { worker_connections 4096; }
http {
    {zdd.mark}
    upstream web { {web.servers} }
    server { listen 18080; location / { proxy_pass http://web; proxy_set_header Upgrade $http_upgrade;
        proxy_next_upstream_tries 2; } }
}
"""


def managed(
    folder: Path, program: str, template: str, service: str = 'run = "app"\ninstances = 2', **files: str
) -> ManagedNginx:
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "nginx.conf.template").write_text(template)
    toml = '[zdd]\nproject = "p"\nstate_dir = "S"\nruntime_dir = "R"\n[nginx]\ntemplate = "nginx.conf.template"\n'
    toml += f'binary = "{program}"\npid_file = "nginx.pid"\n'
    (folder / "deploy.toml").write_text(f"{toml}[service.web]\n{service}\n")
    config = read.load(folder / "deploy.toml")
    return ManagedNginx(config, Paths(config), Commands(), Clock())


def findings(nginx: ManagedNginx) -> list[Finding]:
    return list(nginx.text_findings())


def test_of_a_good_template_there_is_nothing_to_say(tmp_path: Path, program: str) -> None:
    nginx = managed(tmp_path, program, GOOD)

    assert findings(nginx) == []
    assert nginx.visits(["web"]) == [Visit("web", ("127.0.0.1", 18080), "localhost", "/")]
    assert nginx.unasked() == {}


def test_where_80_only_redirects_tls_is_asked(tmp_path: Path, program: str) -> None:
    redirect = "server { listen 18081; server_name shop.test; return 301 https://$host$request_uri; }\n    server {"
    text = GOOD.replace("server {", redirect, 1).replace("listen 18080;", "listen 18080 ssl; server_name shop.test;")

    assert managed(tmp_path, program, text).visits(["web"]) == [
        Visit("web", ("127.0.0.1", 18080), "shop.test", "/", tls=True)
    ]


def test_a_server_on_one_line_in_an_included_file_is_asked_and_stream_is_not(tmp_path: Path, program: str) -> None:
    text = "stream { server { listen 18079; proxy_pass 127.0.0.1:1; } }\n" + GOOD.replace("server {", "server { ", 1)
    start = text.index("server {  listen")
    site = text[start : text.rindex("}", 0, text.rindex("}"))]
    nginx = managed(tmp_path, program, text.replace(site, "include site;"), site=site)

    assert nginx.visits(["web"]) == [Visit("web", ("127.0.0.1", 18080), "localhost", "/")]
    assert nginx.listen() == [":18079", ":18080"]


def test_a_variable_leads_to_a_service(tmp_path: Path, program: str) -> None:
    nginx = managed(tmp_path, program, GOOD.replace("proxy_pass http://web;", "set $up web; proxy_pass http://$up;"))

    assert nginx.visits(["web"]) == [Visit("web", ("127.0.0.1", 18080), "localhost", "/")]


def test_where_no_request_is_known_the_reason_is_told(tmp_path: Path, program: str) -> None:
    nginx = managed(tmp_path, program, GOOD.replace("location /", "location ~ ^/x"))

    assert nginx.visits(["web"]) == []
    assert nginx.unasked() == {"web": "only regular expressions lead to it, of names or of paths"}


def test_what_only_another_proxy_asks_is_asked_as_it_does(tmp_path: Path, program: str) -> None:
    nginx = managed(tmp_path, program, GOOD.replace("listen 18080;", "listen 18080 proxy_protocol;"))

    assert nginx.visits(["web"]) == [Visit("web", ("127.0.0.1", 18080), "localhost", "/", proxy_protocol=True)]
    assert nginx.unasked() == {}


def test_directives_count_at_their_level_and_in_included_files(tmp_path: Path, program: str) -> None:
    text = "include main;\n" + GOOD.replace("worker_connections 4096;", "include events;")
    text = text.replace("http {", "http {\n    map $uri $x { user root; worker_connections 1; }", 1)
    nginx = managed(
        tmp_path, program, text, main="user daemon;\nworker_processes 3;", events="worker_connections 2000;"
    )

    assert nginx.limits() == [(3000, "nginx worker_connections")]
    assert [finding.what for finding in findings(nginx)] == []
    if os.geteuid() == 0:
        assert nginx.worker_users() == [1]


def test_findings_name_the_line_in_the_template(tmp_path: Path, program: str) -> None:
    text = GOOD.replace("upstream web {", "upstream web { keepalive 16;").replace(
        "proxy_set_header Upgrade", "add_header"
    )

    told = [finding.what.removeprefix(f"{tmp_path}/") for finding in findings(managed(tmp_path, program, text))]

    assert told == [
        "nginx.conf.template:6: upstream web: keepalive is there twice",
        "nginx.conf.template:7: location /: proxy_pass to web: WebSockets cannot pass",
        "nginx.conf.template:7: location /: proxy_pass to web: add_header there hides which version answers",
    ]


def test_an_included_file_that_cannot_be_read_is_told(tmp_path: Path, program: str) -> None:
    told = findings(managed(tmp_path, program, GOOD + "include gone;"))

    assert [finding.what for finding in told] == [
        f"cannot read {tmp_path}/gone, which {tmp_path}/nginx.conf.template includes"
    ]


def test_only_the_upstream_that_binds_gets_no_backups_and_comments_stay(tmp_path: Path, program: str) -> None:
    text = GOOD.replace("server {", "# {web.servers}\n    upstream b { ip_hash; {web.servers} }\n    server {", 1)

    made = managed(tmp_path, program, text).text(WEB)

    assert "\n    # {web.servers}\n" in made
    web, bound = made.split("upstream ")[1:]
    assert (web.count("backup;"), bound.count("backup;"), bound.count("server unix:")) == (2, 0, 2)


def test_a_classic_template_is_rendered_byte_for_byte_as_ever(tmp_path: Path, program: str) -> None:
    service = 'start = "a"\nstop = "b"\npid_file = "c"'
    text = "# {web} ${web}\n{web.servers} {nginx_pid_filename}"
    nginx = managed(tmp_path, program, text, service)
    target = Manifest(1, "deploy", {"web-1": Instance("web-1", "web", "classic", port=free_port())})
    port = target.instances["web-1"].port

    assert nginx.text(target).startswith(f"# {port} ${port}\nserver 127.0.0.1:{port};")
    assert nginx.text(target).endswith(f" {nginx.pid_file}")
