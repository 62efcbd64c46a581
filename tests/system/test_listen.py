"""Addresses on which nginx cannot listen here are found before anything is touched."""

from __future__ import annotations

import pytest

from .project import PLAIN, Project, configure, service

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
        assert "set listen in [nginx] to an address of this machine" in said
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
