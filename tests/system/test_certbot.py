"""certbot between zdd and an authority: the system's settings, accounts, limits, and what it does not print."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from .authority import Authority, NamedProject, answering, obstacle
from .test_certificates import SHOP, WWW, authority, lay_out, listed, presented, project, put, unproved

__all__ = ["authority", "project"]  # fixtures

pytestmark = pytest.mark.skipif(obstacle() is not None, reason=obstacle() or "")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that certbot reads besides its command line, as the certificates of another server need it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "letsencrypt"
    folder.mkdir()
    return folder / "cli.ini"


def test_what_the_systems_certbot_does_for_another_server_is_not_done_here(
    project: NamedProject, authority: Authority, settings: Path, tmp_path: Path
) -> None:
    hooks = [f"{when}-hook = touch {tmp_path}/{when}" for when in ("pre", "post", "deploy")]
    settings.write_text(
        "\n".join([*hooks, "authenticator = standalone", "preferred-challenges = dns", "key-type = rsa"])
    )
    lay_out(project, authority.server)

    assert unproved(project) == []

    assert ("DNS", SHOP) in presented(project, root=authority.root())["subjectAltName"]
    assert not [name for name in ("pre", "post", "deploy") if (tmp_path / name).exists()]


def test_an_address_that_changes_reaches_the_authority_with_the_next_certificate(
    project: NamedProject, authority: Authority
) -> None:
    lay_out(project, authority.server, more='acme_email = "first@shop.test"')
    assert unproved(project) == []
    lay_out(project, authority.server, SHOP, WWW, more='acme_email = "second@shop.test"')

    assert unproved(project) == []

    updates = [path.read_text() for path in (project.state / "certbot/logs").glob("*.log*")]
    assert [text for text in updates if "Your e-mail address was updated to second@shop.test" in text]
    lay_out(project, authority.server, SHOP, WWW)
    put(project, WWW, 20)
    assert unproved(project) == []


def test_an_authority_that_says_when_to_come_back_is_left_alone_until_then(
    project: NamedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "door.crt"))
    for status, kind in ((429, "limited"), (503, "authority")):
        with answering(tmp_path, status, {}, wait="7200") as server:
            lay_out(project, server)
            project.zddeploy("certificates", "renew", code=None)
            project.zddeploy()

        failed = listed(project)[SHOP]["failed"]
        assert failed["kind"] == kind, failed
        assert failed["next"] == pytest.approx(time.time() + 7200, abs=600)
        assert "the next try is due on" in project.zddeploy("status", code=None).stdout
        (project.state / "certbot/attempts.json").unlink()


def test_a_name_that_the_authority_refuses_keeps_no_other_from_its_certificate(
    project: NamedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Authority(tmp_path, project.port, blocked=[SHOP])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.bundle))
    made.start()
    try:
        lay_out(project, made.server, SHOP, WWW)
        told = project.zddeploy().stdout
        root = made.root()
    finally:
        made.end()

    assert re.search(rf"issues nothing for {SHOP}: .*policy", told, re.IGNORECASE), told
    assert "look whether host is spelt right" in told
    assert ("DNS", WWW) in presented(project, WWW, root)["subjectAltName"]


def test_an_authority_that_has_lost_the_account_is_told_so(project: NamedProject, authority: Authority) -> None:
    lay_out(project, authority.server)
    project.zddeploy()
    authority.end()
    authority.start()  # pebble keeps nothing
    lay_out(project, authority.server, SHOP, WWW)

    told = project.zddeploy().stdout

    assert "gives no account" in told, told
    assert "remove certbot/config/accounts in the state folder" in told


def test_a_certbot_that_is_broken_is_told_and_mended_it_is_asked_at_once(
    project: NamedProject, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(project, authority.server)
    project.zddeploy()
    lay_out(project, authority.server, SHOP, WWW)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import sys\nif 'certbot' in ' '.join(sys.argv):\n    sys.exit('certbot fell over')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(broken))

    told = project.zddeploy().stdout

    assert "certbot does not work: SystemExit: certbot fell over" in told, told
    assert "pip install 'zddeploy[https]'" in told
    assert listed(project)[WWW]["failed"]["kind"] == "missing"
    monkeypatch.delenv("PYTHONPATH")
    assert unproved(project) == []
    assert ("DNS", WWW) in presented(project, WWW, authority.root())["subjectAltName"]
