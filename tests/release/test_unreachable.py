"""A repository that cannot be fetched: first the line that says why, then what to do, and where the rest is."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.errors import ProgramFailed

from .house import House

URL = "ssh://git@code.test:2222/shop.git"
# What OpenSSH 9.2 prints, tried against a server of its own.
UNKNOWN = "Host key verification failed."
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Offending ED25519 key in /root/.ssh/known_hosts:1
Host key for [code.test]:2222 has changed and you have requested strict checking.
Host key verification failed."""
DENIED = """\
Warning: Permanently added '[code.test]:2222' (ED25519) to the list of known hosts.
git@code.test: Permission denied (publickey)."""
OPEN = """\
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
Permissions 0644 for '/root/.ssh/id_ed25519' are too open.
git@code.test: Permission denied (publickey)."""
REFUSED = "ssh: connect to host code.test port 2222: Connection refused"
NO_HOST = "ssh: Could not resolve hostname code.test: Name or service not known"
OTHER = "Can't open user config file /nonexistent: No such file or directory"
NO_ACCESS = "ERROR: Repository not found."
PASSWORD = "fatal: could not read Username for 'https://code.test': terminal prompts disabled"


@pytest.mark.parametrize(
    ("printed", "reason", "cure"),
    [
        (UNKNOWN, UNKNOWN, "`ssh -T -p 2222 git@code.test` once as "),
        (UNKNOWN, UNKNOWN, "`ssh-keyscan -p 2222 code.test >> ~/.ssh/known_hosts`"),
        (CHANGED, "Host key for [code.test]:2222 has changed", '`ssh-keygen -R "[code.test]:2222"`'),
        (DENIED, "git@code.test: Permission denied (publickey).", "until `ssh -T -p 2222 git@code.test` works as "),
        (OPEN, "Permissions 0644 for '/root/.ssh/id_ed25519' are too open.", "`chmod 600` it"),
        (REFUSED, REFUSED, "see whether the host is up and its port is right"),
        (NO_HOST, NO_HOST, "correct the host in source"),
        (NO_ACCESS, NO_ACCESS, "let the server give access to it"),
        (PASSWORD, PASSWORD, "zddeploy asks nobody"),
        (OTHER, OTHER, ""),
    ],
)
def test_the_line_that_says_why_comes_first(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: str, reason: str, cure: str
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{printed}\nEND\nexit 255\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))

    with pytest.raises(ProgramFailed) as caught:
        house.releases(URL).resolve()

    assert caught.value.message.startswith(f"cannot fetch ssh://code.test:2222/shop.git: {reason}")
    assert cure in (caught.value.hint or "")
    assert printed.splitlines()[-1] in caught.value.output
    assert Path(caught.value.log or "").read_text().startswith(printed.splitlines()[0])


def test_a_source_as_scp_writes_it_is_understood(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", f"sh -c 'echo {UNKNOWN} >&2; exit 255'")

    with pytest.raises(ProgramFailed, match=r"cannot fetch git@code\.test:shop\.git: Host key") as caught:
        house.releases("git@code.test:shop.git").resolve()

    assert "`ssh-keyscan code.test >> ~/.ssh/known_hosts`" in (caught.value.hint or "")


def test_without_ssh_it_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH", "/no/such/ssh")

    with pytest.raises(ProgramFailed) as caught:
        house.releases(URL).resolve()

    assert "cannot run /no/such/ssh" in caught.value.message
    assert caught.value.hint == "install ssh (openssh-client)"
