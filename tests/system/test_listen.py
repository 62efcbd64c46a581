"""Addresses on which nginx cannot listen here are found before anything is touched."""

from __future__ import annotations

import os
import socket

import pytest

from zdd.host import ipv6

from .project import PLAIN, Project, configure, service, template

WEB = service("web", **PLAIN, health_path="/", keep_warm="0s")
ELSEWHERE = {
    "nowhere.invalid:8080": "nowhere.invalid does not resolve",
    "192.0.2.77:8080": "192.0.2.77 is not an address of this machine",  # TEST-NET-1, RFC 5737
    "[2001:db8::77]:8080": "2001:db8::77 ",  # where there is no IPv6, for that reason
}


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_address_that_is_not_here_is_refused_and_check_says_so(project: Project, address: str) -> None:
    configure(project, WEB)
    project.zddeploy()
    good = f"127.0.0.1:{project.port}"
    project.replace("deploy.toml", good, address)

    for result in (project.zddeploy("check", code=2), project.zddeploy(code=2)):
        said = result.stdout + result.stderr
        assert f"listen {address}: {ELSEWHERE[address]}" in said
        assert "to an address of this machine" in said
    assert "X-Release: 1\r\n" in project.get()
    assert [entry["deploy"] for entry in project.events("history")] == [1]
    project.zddeploy("restart")  # it starts with what was deployed


def test_a_name_that_resolves_to_this_machine_is_good(project: Project) -> None:
    configure(project, WEB)
    project.replace("deploy.toml", "127.0.0.1:", "localhost:")

    assert "0 errors" in project.zddeploy("check").stdout
    project.zddeploy()
    project.zddeploy()

    assert "X-Release: 1\r\n" in project.get()


def templated(project: Project) -> None:
    """Serve with the user's own text, on one address of its port, and one in a file that it includes."""
    configure(project, WEB)
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', 'template = "nginx.conf.template"')
    template(project, "location / { proxy_pass http://web; }", "include more.conf;", "web")
    project.write("more.conf", f"server {{ listen 127.0.0.2:{project.port}; }}\n")
    project.zddeploy()


def refused(project: Project, words: str) -> None:
    for result in (project.zddeploy("check", code=2), project.zddeploy(code=2)):
        assert words in result.stdout + result.stderr
    assert "X-Release: 1\r\n" in project.get()
    assert [entry["deploy"] for entry in project.events("history")] == [1]


def test_a_template_that_changes_from_one_address_to_all_is_refused(project: Project) -> None:
    templated(project)
    project.replace("nginx.conf.template", f"listen 127.0.0.1:{project.port};", f"listen {project.port};")

    refused(project, "and cannot change to every address while it runs")

    project.zddeploy("down")
    project.zddeploy()
    project.replace("nginx.conf.template", f"listen {project.port};", f"listen 127.0.0.1:{project.port};")
    assert "of every address and cannot change to 127.0.0." in project.zddeploy(code=2).stderr


@pytest.mark.skipif(not ipv6.is_there(), reason="this machine has no IPv6")
@pytest.mark.usefixtures("each_nginx")
def test_one_socket_for_both_families_is_neither_begun_nor_ended_while_nginx_runs(project: Project) -> None:
    """nginx keeps the sockets that it has: of the two below it would close the one of IPv4, and say nothing."""
    configure(project, WEB)
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', 'template = "nginx.conf.template"')
    template(project, "location / { proxy_pass http://web; }", "", "web")
    one, two = f"listen [::]:{project.port} ipv6only=off;", f"listen {project.port}; listen [::]:{project.port};"
    project.replace("nginx.conf.template", f"listen 127.0.0.1:{project.port};", two)
    project.zddeploy()
    project.replace("nginx.conf.template", two, one)

    refused(project, f"cannot change to listen [::]:{project.port} ipv6only=off while it runs: IPv4 would be lost")

    project.zddeploy("down")
    project.zddeploy()
    assert "X-Release: 1\r\n" in project.get()
    project.zddeploy()
    project.replace("nginx.conf.template", one, two)
    assert f"cannot change from listen [::]:{project.port} ipv6only=off" in project.zddeploy(code=2).stderr
    assert "X-Release: 1\r\n" in project.get()


@pytest.mark.parametrize("place", ["nginx.conf.template", "more.conf"])
def test_a_template_that_names_the_port_of_another_program_is_refused(project: Project, place: str) -> None:
    templated(project)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        project.replace(place, "listen ", f"listen 127.0.0.1:{port}; listen ")
        project.replace("nginx.conf.template", "include more.conf;", "include more.conf; # has changed")

        refused(project, f"port {port} is taken by process {os.getpid()} (")

        project.replace(place, f"127.0.0.1:{port}", f"127.0.0.3:{port}")
        project.zddeploy()  # it is taken on another address only


def test_a_template_with_an_address_that_is_not_here_is_refused(project: Project) -> None:
    templated(project)
    project.replace("more.conf", "listen 127.0.0.2:", "listen 192.0.2.77:")

    refused(project, "192.0.2.77 is not an address of this machine")


def test_a_port_that_another_program_has_is_refused_before_anything_starts(project: Project) -> None:
    configure(project, WEB)
    with socket.create_server(("127.0.0.1", project.port)):
        assert f"port {project.port} is taken by process {os.getpid()} (" in project.zddeploy(code=2).stderr

    assert project.events("history") == []
    project.zddeploy()
