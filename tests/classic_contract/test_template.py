"""The bytes of nginx.conf, and the nginx that reads them: started, reloaded, left alone."""

from __future__ import annotations

import os
import signal

import pytest

from .site import WEB, Site, await_end, children, lives, servers, title

BOTH_SPELLINGS = """\
pid {nginx_pid_filename}; # nginx's own braces and everybody else's stay
error_log error.log notice;
worker_processes 2;
events{worker_connections 128;}
http {
    access_log off;
    log_format json '{"host": "$host", "port": "{port}", "nothing": {}, "more": {"web": 1}}';
    map $uri $year { default ""; "~^/(?<y>[0-9]{4})/[a-z]{2,}$" "$y{ web }"; }
\tclient_body_temp_path temp;  proxy_temp_path temp;  fastcgi_temp_path temp;  uwsgi_temp_path temp;
    scgi_temp_path temp;
    upstream web { server 127.0.0.1:{web} max_fails=0; server localhost:{web} backup; }
    upstream mail {
        {mail.servers}
    }
    server {
        listen 127.0.0.1:PORT;
        location / { proxy_pass http://web; }
        location /mail { proxy_pass http://mail; proxy_set_header X-Ports "#{web}{nginx_pid_filename}"; }
        location /café { return 200 "é {web"; }
    }
}


"""


def test_both_spellings_of_placeholders_are_replaced_and_every_other_byte_stays(site: Site) -> None:
    site.configure(web={}, mail={})
    template = site.template(BOTH_SPELLINGS)

    for version in "12":
        site.release(version)
        site.deploy()

        ports = {name: site.port_of(name) for name in ("web", "mail")}
        expected = template.replace("{nginx_pid_filename}", str(site.folder / "nginx.pid"))
        expected = expected.replace("{web}", str(ports["web"])).replace("{mail.servers}", servers(ports["mail"]))
        assert site.conf() == expected.encode()
        assert site.get().endswith(f"web {version}\n")
        assert site.get("/mail").endswith(f"mail {version}\n")


def test_the_text_lies_beside_its_template_and_nginx_works_in_the_folder_of_the_configuration(site: Site) -> None:
    text = (site.folder / "deploy.conf").read_text()
    site.write("deploy.conf", text.replace("./nginx.conf.template", "etc/shop.conf.template"))
    site.template(WEB, "etc/shop.conf.template")
    (site.folder / "nginx.conf.template").unlink()

    site.deploy()

    assert f"127.0.0.1:{site.port_of('web')};" in (site.folder / "etc/shop.conf").read_text()
    assert (site.folder / "error.log").exists()
    assert sorted(path.name for path in (site.folder / "etc").iterdir()) == ["shop.conf", "shop.conf.template"]


def test_nginx_is_started_by_the_first_deploy_and_sent_hup_by_every_other(site: Site) -> None:
    site.deploy()
    master, workers = site.number("nginx.pid"), children(site.number("nginx.pid"))
    assert title(master).startswith("nginx: master process")
    assert len(workers) == 2

    for count in (1, 2):
        site.deploy()

        assert site.number("nginx.pid") == master
        assert site.reloads() == count
        assert children(master).isdisjoint(workers)


@pytest.mark.parametrize("pid_file", ["stale", "gone", "somebody else's"])
def test_an_nginx_that_does_not_run_is_started(site: Site, pid_file: str) -> None:
    site.deploy()
    master = site.number("nginx.pid")
    os.kill(master, signal.SIGTERM)
    await_end(master)
    if pid_file != "gone":
        site.write("nginx.pid", f"{master if pid_file == 'stale' else os.getpid()}\n")
    site.release("2")

    site.deploy()

    assert site.get().endswith("web 2\n")
    assert site.number("nginx.pid") not in (master, os.getpid())
    assert lives(site.number("nginx.pid"))


def test_a_text_that_nginx_refuses_is_never_put_in_place(site: Site) -> None:
    site.deploy()
    files, processes = site.files(), site.processes()
    site.template(WEB.replace("access_log off;", "no_such_directive on;"))

    with site.visited():
        said = site.deploy(code=1)

    assert "no_such_directive" in said
    assert (site.files(), site.processes(), site.reloads()) == (files, processes, 0)
