from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.operate import renewal_timer

USER = pwd.getpwnam("nobody")
PROGRAM = ["/opt/zdd/bin/zddeploy"]


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


def load(folder: Path, https: str = "auto") -> Config:
    path = folder / "deploy.toml"
    path.write_text(
        f'[zdd]\nproject = "shop"\n[nginx]\nhttps = "{https}"\n[service.web]\nrun = "app {{fd}}"\nhost = "shop.test"\n'
    )
    return read.load(path)


def test_a_project_with_certificates_to_renew_has_a_timer(tmp_path: Path) -> None:
    service, timer = renewal_timer.pieces(load(tmp_path), USER, PROGRAM)

    assert service.path == "/etc/systemd/system/zdd-shop.certificates.service"
    assert timer.path == "/etc/systemd/system/zdd-shop.certificates.timer"
    words = f"ExecStart=/opt/zdd/bin/zddeploy -c {tmp_path}/deploy.toml certificates renew --scheduled\n"
    assert words in service.text
    assert "User=nobody\n" in service.text
    assert "Persistent=true" in timer.text  # what was due while the machine was off is made up for
    assert ["systemctl", "--quiet", "is-active", "zdd-shop.certificates.timer"] in timer.proof


def test_others_have_none_but_what_was_left_can_be_removed(tmp_path: Path) -> None:
    config = load(tmp_path, "off")

    assert renewal_timer.pieces(config, USER, PROGRAM) == []
    assert len(renewal_timer.all_pieces(config, USER, PROGRAM)) == 2


def test_the_root_certificate_of_an_authority_of_ones_own_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/our root.pem")

    service, _ = renewal_timer.pieces(load(tmp_path), USER, PROGRAM)

    assert 'Environment="REQUESTS_CA_BUNDLE=/etc/ssl/our root.pem"\n' in service.text
