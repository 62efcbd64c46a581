"""Certificates below S: always a pair that belongs together, for nobody else to read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.host import files, trees
from zdd.nginx.certificates.store import CertificateStore, Pair

ONE, TWO, THREE, FOUR = (Pair(f"certificate {number}", f"key {number}") for number in range(4))


@pytest.fixture
def store(tmp_path: Path) -> CertificateStore:
    return CertificateStore(f"{tmp_path}/certificates")


def test_the_one_installed_last_is_in_force(store: CertificateStore) -> None:
    assert store.current("shop.test") is None

    store.install("shop.test", ONE)
    store.install("shop.test", TWO)

    assert store.current("shop.test") == TWO.digest
    assert store.read("shop.test") == "certificate 1"
    found = store.certificate("shop.test", TWO.digest, ["shop.test"])
    assert (Path(found.certificate).read_text(), Path(found.key).read_text()) == TWO


def test_only_we_can_read_keys_whatever_the_umask(store: CertificateStore) -> None:
    before = os.umask(0)
    try:
        store.install("shop.test", ONE)
    finally:
        os.umask(before)

    for folder, _, names in os.walk(store.folder):
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert {os.stat(f"{folder}/{name}").st_mode & 0o777 for name in names} <= {0o600}


def test_those_that_a_text_names_are_kept_and_the_one_before(store: CertificateStore) -> None:
    for pair in (ONE, TWO, THREE):
        store.install(
            "shop.test", pair, keep=[f"ssl_certificate {store.folder}/shop.test/{ONE.digest}/certificate.pem;"]
        )
    assert [store.has("shop.test", pair.digest) for pair in (ONE, TWO, THREE)] == [True, True, True]

    store.install("shop.test", FOUR)

    assert [store.has("shop.test", pair.digest) for pair in (ONE, TWO, THREE, FOUR)] == [False, False, True, True]


def test_a_failure_leaves_the_former_pair_in_force(store: CertificateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.install("shop.test", ONE)
    for failing in ("write", "point"):

        def fail(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(files, failing, fail)
            with pytest.raises(OSError, match="No space"):
                store.install("shop.test", TWO)

        assert store.current("shop.test") == ONE.digest
        assert store.read("shop.test") == "certificate 0"
    store.install("shop.test", TWO)
    assert store.read("shop.test") == "certificate 1"


def test_a_link_to_what_is_gone_is_none(store: CertificateStore) -> None:
    store.install("shop.test", ONE)
    trees.remove(f"{store.folder}/shop.test/{ONE.digest}")

    assert store.current("shop.test") is None
    assert store.read("shop.test") is None
