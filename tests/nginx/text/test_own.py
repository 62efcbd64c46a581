"""Whom zdd's own text believes, and what it needs for that."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from zdd.conf import read
from zdd.errors import UsageError
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.trust import Trust, lines
from zdd.nginx.text.own import OwnText
from zdd.paths import Paths

OLD = "map $http_x_forwarded_proto $zdd_proto { default $scheme; http http; https https; }"


def own_text(folder: Path, keys: str = "", lacks: bool = False) -> OwnText:
    path = folder / "deploy.toml"
    path.write_text(
        f'[zdd]\nproject = "shop"\nstate_dir = "S"\nruntime_dir = "R"\n[nginx]\n{keys}\n[service.web]\nrun = "a"\n'
    )
    config = read.load(path)
    binary = SimpleNamespace(path="/opt/nginx", lacks=lambda module: lacks and module == "http_realip_module")
    return OwnText(config, Paths(config), lambda: binary, lambda: None)  # type: ignore[arg-type, return-value]


def in_place(folder: Path, text: str) -> None:
    (folder / "S/nginx").mkdir(parents=True, exist_ok=True)
    (folder / "S/nginx/nginx.conf").write_text(text)


def test_a_new_project_believes_private_addresses(tmp_path: Path) -> None:
    assert own_text(tmp_path).trust == Trust(("private",), asks=True)


def test_one_whose_text_believes_everybody_goes_on_until_the_key_is_set(tmp_path: Path) -> None:
    in_place(tmp_path, OLD)
    assert own_text(tmp_path).trust.proxies is None
    in_place(tmp_path, lines(own_text(tmp_path).trust, "log"))
    assert own_text(tmp_path).trust.proxies is None

    said = own_text(tmp_path, 'trusted_proxies = "private"').trust

    assert said == Trust(("private",))
    in_place(tmp_path, lines(said, "log"))
    assert own_text(tmp_path).trust.proxies == ("private",)


@pytest.mark.parametrize("keys", ["", "proxy_protocol = true", 'trusted_proxies = "198.51.100.7"'])
def test_an_nginx_that_cannot_find_the_client_is_refused_beforehand(tmp_path: Path, keys: str) -> None:
    with pytest.raises(UsageError, match="was built without its realip module") as caught:
        own_text(tmp_path, keys, lacks=True).require()

    assert 'trusted_proxies = "none"' in str(caught.value.hint)
    own_text(tmp_path, keys).require()


def test_an_nginx_that_needs_not_find_him_is_taken(tmp_path: Path) -> None:
    own_text(tmp_path, 'trusted_proxies = "none"', lacks=True).require()
    in_place(tmp_path, OLD)
    own_text(tmp_path, lacks=True).require()


def test_a_setup_believes_private_addresses() -> None:
    setup = Setup(pid_file="/p", error_log="/e", temp_folder="/t", listen=["80"], routes=[Route("web")], upstreams={})

    assert setup.trust.proxies == ("private",)
