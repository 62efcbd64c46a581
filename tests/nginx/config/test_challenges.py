"""The challenges of a certificate authority: answered whatever else holds, and nothing else from that folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.secure import get, plain
from zdd.nginx.config import challenges

from .test_tls import HOSTS, Shop, shop

__all__ = ["shop"]  # a fixture

WHERE = "/.well-known/acme-challenge/"
# What a user may ask of visitors: none of it holds for an authority, which has no password and comes from anywhere.
ASKED = ["deny all;", 'auth_basic "staging"; auth_basic_user_file /dev/null;', "allow 192.0.2.1; deny all;"]


@pytest.fixture
def folder(shop: Shop) -> Path:
    made = Path(shop.house.folder, "acme folder" + WHERE)
    made.mkdir(parents=True)
    (made / "token").write_text("proof")
    return made


def serve(shop: Shop, folder: Path, **more: Any) -> None:
    shop.serve(acme_folder=str(folder.parents[1]), **more)


@pytest.mark.parametrize("lines", ["", *ASKED])
def test_they_are_answered_by_http_and_https_whatever_the_users_lines_ask(shop: Shop, folder: Path, lines: str) -> None:
    serve(shop, folder, server_lines=lines, redirect=False)

    assert plain(shop.house.port, "shop.test", f"{WHERE}token").body == "proof"
    assert get(shop.port, "shop.test", f"{WHERE}token").body == "proof"
    assert get(shop.port, "shop.test").status == (200 if not lines else 401 if "auth_basic" in lines else 403)


def test_a_canonical_host_redirects_no_challenge(shop: Shop, folder: Path) -> None:
    serve(shop, folder, canonical_host="shop.test")

    for host in HOSTS:
        assert plain(shop.house.port, host, f"{WHERE}token").body == "proof"
        assert get(shop.port, host, f"{WHERE}token").body == "proof"


def test_a_maintenance_page_hides_none(shop: Shop, folder: Path) -> None:
    page = Path(shop.house.folder, "maintenance")
    page.write_text("closed")
    serve(shop, folder, maintenance_file=str(page))

    assert get(shop.port, "shop.test", f"{WHERE}token").body == "proof"
    assert get(shop.port, "shop.test").status == 503


def test_neither_links_nor_lists_nor_other_folders_are_shown(shop: Shop, folder: Path) -> None:
    (folder.parents[1] / "secret").write_text("secret")
    os.symlink("/etc/passwd", folder / "link")
    os.symlink("token", folder / "near")
    (folder / "sub").mkdir()
    os.link(folder / "token", folder / "sub/token")
    serve(shop, folder)
    paths = ["", "link", "near", "sub", "../../secret", "..%2f..%2fsecret", "%2e%2e/%2e%2e/secret", "token/"]

    answers = {path: plain(shop.house.port, "shop.test", WHERE + path) for path in paths}

    assert {path: answer.status for path, answer in answers.items() if answer.status == 200} == {}
    assert not [path for path, answer in answers.items() if "secret" in answer.body or "root:" in answer.body]


def test_nobody_can_write_there(shop: Shop, folder: Path) -> None:
    serve(shop, folder)

    for method in ("PUT", "POST", "DELETE"):
        assert plain(shop.house.port, "shop.test", f"{WHERE}token", method=method).status == 405
    assert (folder / "token").read_text() == "proof"


def test_without_lines_of_the_user_nothing_is_switched_off() -> None:
    assert "auth_basic" not in challenges.location("/acme")
    assert challenges.location("/acme", "deny all; allow all; auth_request /x;").count("allow all;") == 1
