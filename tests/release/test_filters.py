"""Filters of git: what a repository has encrypted is decrypted, or refused; it is never deployed as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from zdd.errors import DeployFailed

from .house import House, Repository
from .test_source import source_of

ENCRYPTED = {
    "git-crypt": b"\0GITCRYPT\0 not to be read",
    "crypt": b"U2FsdGVkX18xMjM0NTY3OA==",
    "git-agecrypt": b"age-encryption.org/v1\n-> X25519",
}
ROT13 = "tr A-Za-z N-ZA-Mn-za-m"


def commit(repository: Repository, name: str, secret: bytes, where: str = "") -> None:
    """Commit a file with this filter; what this machine has of filters does not touch it."""
    (repository.path / where).mkdir(exist_ok=True)
    (repository.path / where / ".gitattributes").write_text(f"# filter=nobody\n*.key filter={name} diff={name}\n")
    (repository.path / where / "site.key").write_bytes(secret)
    (repository.path / where / "plain.txt").write_text("plain")
    repository.commit()


@pytest.mark.parametrize("url", [False, True], ids=["folder", "url"])
@pytest.mark.parametrize("name", ENCRYPTED)
def test_what_stays_encrypted_is_refused_with_what_to_install(
    house: House, repository: Repository, name: str, url: bool
) -> None:
    commit(repository, name, ENCRYPTED[name])
    releases = house.releases(source_of(repository, url))

    with pytest.raises(DeployFailed, match=r"1 file of it \(such as site\.key\) would be deployed encrypted") as caught:
        house.build(releases)

    assert f"git config --global filter.{name}.smudge" in (caught.value.hint or "")
    assert house.left() == []


def test_the_attributes_of_a_subfolder_and_a_macro_count(house: House, repository: Repository) -> None:
    commit(repository, "git-crypt", ENCRYPTED["git-crypt"], where="shop")
    (repository.path / ".gitattributes").write_text("[attr]hidden filter=git-crypt\n*.pem hidden\n")
    (repository.path / "shop/a.pem").write_bytes(ENCRYPTED["git-crypt"])
    repository.commit()
    releases = house.releases(repository.path / "shop")

    with pytest.raises(DeployFailed, match=r"2 files of it \(such as shop/a\.pem, shop/site\.key\)"):
        house.build(releases)


def test_a_filter_that_this_machine_has_is_run(house: House, repository: Repository) -> None:
    commit(repository, "secret", b"uvqqra")
    repository.git("config", "--global", "filter.secret.smudge", ROT13)
    releases = house.releases(repository.path)

    assert (Path(releases.path(house.build(releases))) / "site.key").read_text() == "hidden"
    assert house.notices == []


@pytest.mark.parametrize("command", ["nobody-has-this smudge", "exit 1"])
def test_a_filter_that_fails_fails_the_build(house: House, repository: Repository, command: str) -> None:
    """git itself writes the file as it is, unless the filter is required."""
    commit(repository, "secret", b"uvqqra")
    repository.git("config", "--global", "filter.secret.smudge", command)
    releases = house.releases(repository.path)

    with pytest.raises(DeployFailed, match=r"site\.key: smudge filter secret failed"):
        house.build(releases)

    assert house.left() == []


def test_files_whose_filter_is_unknown_are_told(house: House, repository: Repository) -> None:
    commit(repository, "tabs", b"text")
    releases = house.releases(repository.path)
    house.build(releases)

    assert len(house.notices) == 1
    assert "1 file of it (such as site.key) has filter=tabs in .gitattributes" in house.notices[0]


def test_a_filter_for_commits_alone_is_no_matter(house: House, repository: Repository) -> None:
    commit(repository, "nbstripout", b"text")
    repository.git("config", "--global", "filter.nbstripout.clean", "cat")
    repository.git("config", "--global", "filter.nbstripout.required", "false")
    releases = house.releases(repository.path)

    assert (Path(releases.path(house.build(releases))) / "site.key").read_text() == "text"
    assert house.notices == []


@pytest.mark.parametrize("program", ["stand-in", *(["git-crypt"] if shutil.which("git-crypt") else [])])
def test_what_the_hint_says_decrypts_the_files(
    house: House, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    key = tmp_path / "site.git-crypt-key"
    if program == "stand-in":
        monkeypatch.setenv("PATH", f"{write_stand_in(tmp_path / 'bin', key)}:{os.environ['PATH']}")
        commit(repository, "git-crypt", b"\0GITCRYPT\0" + b"uvqqra")
    else:
        subprocess.run(["git-crypt", "init"], cwd=repository.path, check=True, capture_output=True)
        subprocess.run(["git-crypt", "export-key", key], cwd=repository.path, check=True, capture_output=True)
        commit(repository, "git-crypt", b"hidden")
    releases = house.releases(repository.path)
    with pytest.raises(DeployFailed, match="encrypted by git-crypt") as caught:
        house.build(releases)

    command = (caught.value.hint or "").split("`")[3].replace("FILE", str(key))
    subprocess.run(command, shell=True, check=True, capture_output=True)

    assert (Path(releases.path(house.build(releases))) / "site.key").read_text() == "hidden"


def write_stand_in(folder: Path, key: Path) -> Path:
    """Write a git-crypt for machines that have none."""
    program = folder / "git-crypt"
    folder.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$*" = "smudge --key-file={key}" ] && tail -c +11 | {ROT13}\n')
    program.chmod(0o755)
    return folder
