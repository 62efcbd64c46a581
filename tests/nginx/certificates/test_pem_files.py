"""Files with a certificate and its key: what is wrong with them is said before nginx gets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certificates import Authority, Issued, private
from zdd.conf import read
from zdd.conf.nginx_section import NginxSection
from zdd.conf.schema import Config
from zdd.nginx.certificates import choice, faults, report
from zdd.nginx.certificates.store import FILES, Pair
from zdd.paths import Paths

HOSTS = ("shop.test", "www.shop.test")


def configured(folder: Path, issued: Issued, hosts: tuple[str, ...] = HOSTS, more: str = "") -> Config:
    path = folder / "deploy.toml"
    path.write_text(
        f'[zdd]\nproject = "shop"\nstate_dir = "S"\nruntime_dir = "R"\n[nginx]\ncertificate = "{issued.certificate}"\n'
        f'certificate_key = "{issued.key}"\n{more}\n[service.web]\nrun = "app"\nhost = {list(hosts)!r}\n'
    )
    return read.load(path)


def said(config: Config) -> list[str]:
    return [f"{one.level}: {one.what}" for one in faults.of_files(config, Paths(config))]


def swap_key(issued: Issued) -> None:
    issued.key.write_bytes(private(ec.generate_private_key(ec.SECP256R1())))


def encrypt_key(issued: Issued) -> None:
    issued.key.write_bytes(private(ec.generate_private_key(ec.SECP256R1()), "secret"))


def turn_around(issued: Issued) -> None:
    own, above = issued.certificate.read_text().split("-----BEGIN", 2)[1:]
    issued.certificate.write_text(f"-----BEGIN{above}-----BEGIN{own}")


def leave_alone(issued: Issued) -> None:
    issued.certificate.write_text("-----BEGIN" + issued.certificate.read_text().split("-----BEGIN")[1])


def mix(issued: Issued) -> None:
    alone = "-----BEGIN" + issued.certificate.read_text().split("-----BEGIN")[1]
    issued.certificate.write_text(alone + Authority("Another").pem)


WRONG: dict[Callable[[Issued], object], str] = {
    swap_key: "error: .* do not belong together: the key is another certificate's",
    encrypt_key: "error: certificate_key .* is encrypted, and nobody types its password when nginx starts",
    turn_around: "error: .* do not belong together",
    leave_alone: "warning: .* holds one certificate, without those that lead to a root",
    mix: "error: .* has its chain in a wrong order: number 2 in it is not the issuer of the one before",
    lambda issued: issued.key.unlink(): "error: cannot read certificate_key .*: No such file or directory",
    lambda issued: issued.certificate.write_text("x"): "error: certificate .* holds no certificate in PEM",
    lambda issued: issued.key.write_bytes(b"\x30\x82"): "error: certificate_key .* holds no private key in PEM",
    lambda issued: issued.certificate.write_text(
        issued.certificate.read_text()[:200] + "\n-----END CERTIFICATE-----\n"
    ): ("error: .* cannot be used: OpenSSL says"),
}


@pytest.mark.parametrize("spoil", WRONG)
def test_what_cannot_be_used_is_said(tmp_path: Path, spoil: Callable[[Issued], object]) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    config = configured(tmp_path, issued)
    assert said(config) == []

    spoil(issued)

    with pytest.raises(AssertionError, match=WRONG[spoil]):
        assert said(config) == []


def test_hosts_that_it_is_not_for_are_named(tmp_path: Path) -> None:
    config = configured(tmp_path, Authority().issue(tmp_path, "shop.test", "old.test"))

    assert "is not for www.shop.test; it is for shop.test, old.test" in said(config)[0]


@pytest.mark.parametrize(
    ("days", "age", "expected"),
    [
        (-1, 90, "error: .* has expired, on "),
        (90, -2, "error: .* is valid only from .* on"),
        (3.5, 87, "warning: .* expires in 3 days"),
        (13.5, 77, "warning: .* expires in 13 days"),
    ],
)
def test_dates_are_looked_at(tmp_path: Path, days: float, age: float, expected: str) -> None:
    config = configured(tmp_path, Authority().issue(tmp_path, *HOSTS, days=days, age=age))

    with pytest.raises(AssertionError, match=expected):
        assert said(config) == []


def test_one_that_is_not_valid_yet_is_told_with_the_clock(tmp_path: Path) -> None:
    config = configured(tmp_path, Authority().issue(tmp_path, *HOSTS, age=-2))

    (found,) = faults.of_files(config, Paths(config))

    assert found.fix.startswith("set the clock (`timedatectl`) if it is wrong; else put a new one at ")
    assert faults._cure(config, found.what) == found.fix
    issued_by_authority = msgspec.structs.replace(config, nginx=NginxSection(https="auto"))
    assert faults._cure(issued_by_authority, found.what).endswith("if it is wrong; else wait until then")


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_keys_of_both_kinds_are_compared_with_their_certificates(tmp_path: Path, kind: str) -> None:
    issued = Authority().issue(tmp_path, *HOSTS, rsa=kind == "RSA")
    config = configured(tmp_path, issued)
    assert said(config) == []

    certificate = issued.certificate.read_text()
    Authority().issue(tmp_path, *HOSTS, rsa=True)
    issued.certificate.write_text(certificate)
    (found,) = said(config)
    assert "do not belong together: the key is another certificate's" in found


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    issued.key.chmod(0o644)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o755)  # one of them may be /tmp itself
    config = configured(tmp_path, issued)

    assert "every user of this machine can read certificate_key" in said(config)[0]

    tmp_path.chmod(0o700)  # as certbot's folders are: nobody else gets there
    assert said(config) == []


def test_a_key_within_the_source_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path, Authority().issue(tmp_path, *HOSTS), more='[release]\nsource = "."')

    assert "lies below source" in said(config)[0]


def test_one_that_is_in_force_and_has_expired_stops_no_deploy(tmp_path: Path) -> None:
    config = configured(tmp_path, Authority().issue(tmp_path, *HOSTS, days=-0.5, age=90))
    paths = Paths(config)
    assert ["has expired" in one.what for one in faults.refused(config, paths)] == [True]

    choice.store(paths).install(FILES, Pair(*files_of(config)))

    assert list(faults.refused(config, paths)) == []
    (own,) = choice.of(config, paths)
    Path(paths.nginx).mkdir()
    assert not choice.is_in_use(config, paths)
    lines = ["server {", f"ssl_certificate {own.certificate};", f"ssl_certificate_key {own.key};"]
    Path(paths.nginx_conf).write_text("\n  ".join([*lines, "server_name shop.test www.shop.test;", "}"]))
    assert choice.is_in_use(config, paths)
    (state,) = report.states(config, paths)
    assert state.problem is not None
    assert "the certificate of shop.test and www.shop.test has expired" in state.problem
    assert state.days_left == -1


def files_of(config: Config) -> tuple[str, str]:
    nginx = config.nginx
    assert nginx.certificate is not None
    assert nginx.certificate_key is not None
    return nginx.certificate.read_text(), nginx.certificate_key.read_text()


def test_while_new_files_are_of_no_use_the_text_names_the_former_pair(tmp_path: Path) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    config = configured(tmp_path, issued)
    paths = Paths(config)
    (first,) = choice.of(config, paths)
    choice.store(paths).install(FILES, Pair(*files_of(config)))
    assert choice.of(config, paths) == [first]

    Authority().issue(tmp_path, *HOSTS)
    (second,) = choice.of(config, paths)
    swap_key(issued)

    assert second != first
    assert choice.of(config, paths) == [first]


@pytest.mark.parametrize(("before", "takes"), [(90, False), (-1, True)])
def test_one_that_browsers_refuse_takes_only_the_place_of_another_such_one(
    tmp_path: Path, before: float, takes: bool
) -> None:
    config = configured(tmp_path, Authority().issue(tmp_path, *HOSTS, days=before, age=100))
    paths = Paths(config)
    choice.store(paths).install(FILES, Pair(*files_of(config)))
    (first,) = choice.of(config, paths)

    Authority().issue(tmp_path, *HOSTS, days=-2, age=100)

    assert (choice.of(config, paths) != [first]) is takes


def below(folder: Path, **how: float) -> Issued:
    """A certificate of an intermediate authority."""
    root = Authority()
    second = root.intermediate(**how)
    issued = second.issue(folder, *HOSTS)
    issued.certificate.write_text(issued.certificate.read_text() + root.pem)
    return issued


def test_a_chain_of_several_is_right(tmp_path: Path) -> None:
    assert said(configured(tmp_path, below(tmp_path))) == []


def test_an_issuer_that_has_expired_is_refused_unless_it_is_in_force(tmp_path: Path) -> None:
    config = configured(tmp_path, below(tmp_path, days=-2, age=90))
    paths = Paths(config)

    (found,) = faults.refused(config, paths)
    assert "number 2 in it, of its chain, has expired" in found.what
    assert choice.chosen(config, paths) is not None  # there is no better one, as where a machine boots

    choice.store(paths).install(FILES, Pair(*files_of(config)))
    assert list(faults.refused(config, paths)) == []


def test_one_whose_issuer_has_expired_takes_no_place_of_a_good_one(tmp_path: Path) -> None:
    config = configured(tmp_path, below(tmp_path))
    paths = Paths(config)
    choice.store(paths).install(FILES, Pair(*files_of(config)))
    (good,) = choice.of(config, paths)

    below(tmp_path, days=-2, age=90)

    assert choice.of(config, paths) == [good]
    Path(paths.nginx_conf).parent.mkdir(parents=True, exist_ok=True)
    lines = ["server {", f"ssl_certificate {good.certificate};", f"ssl_certificate_key {good.key};"]
    Path(paths.nginx_conf).write_text("\n  ".join([*lines, "server_name shop.test www.shop.test;", "}"]))
    (state,) = report.states(config, paths)
    assert "but nginx keeps the certificate that it has: `zddeploy check` says why" in str(state.warning)


@pytest.mark.parametrize("forms", [("", ""), ("X509 ", "X509 "), ("TRUSTED ", "")])
def test_an_issuer_of_the_same_name_that_has_not_signed_it_is_refused(tmp_path: Path, forms: tuple[str, str]) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    own = issued.certificate.read_text().split("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"
    issued.certificate.write_text(in_form(forms[0], own) + in_form(forms[1], Authority().pem))
    config = configured(tmp_path, issued)

    (found,) = said(config)

    assert "does not stand up to its own chain: OpenSSL says certificate signature failure" in found
    assert choice.chosen(config, Paths(config)) is None


@pytest.mark.parametrize("form", ["X509 ", "TRUSTED "])
def test_each_form_of_pem_is_read_as_nginx_does(tmp_path: Path, form: str) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    issued.certificate.write_text(in_form(form, issued.certificate.read_text()))
    config = configured(tmp_path, issued)

    if form == "TRUSTED ":  # nginx sends its issuer to nobody
        assert "holds one certificate, without those that lead to a root" in said(config)[0]
    else:
        assert said(config) == []
    assert choice.chosen(config, Paths(config)) is not None


def in_form(form: str, pem: str) -> str:
    return pem.replace("BEGIN CERTIFICATE", f"BEGIN {form}CERTIFICATE").replace(
        "END CERTIFICATE", f"END {form}CERTIFICATE"
    )
