"""What other programs print, and what processes call themselves: git, nginx, anybody's; and a project's own files."""

from __future__ import annotations

import contextlib
import os
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from zdd import secret, terminal
from zdd.conf import read
from zdd.errors import ZddError
from zdd.host import namespaces, net_unix, process, usage
from zdd.host.command import Commands, Result
from zdd.init.folder import Folder
from zdd.init.proposal import toml
from zdd.init.propose import propose
from zdd.nginx import whose
from zdd.nginx.process import complaints, running, title
from zdd.nginx.process.binary import Binary
from zdd.release import source, unreachable
from zdd.release.source import SourceFolder

from .profile import holds
from .texts import json_texts, mutated

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = [
    f"{COMMIT}\n".encode(),
    f"warning: refname 'main' is ambiguous.\n{COMMIT}\n".encode(),
    b"fatal: Needed a single revision\n",
    b"error: short object ID 0123 is ambiguous\nfatal: bad revision 'x'\n",
    b"fatal: detected dubious ownership in repository at '/srv/shop'\n"
    b"\tgit config --global --add safe.directory /srv/shop\n",
    b" M app.py\0?? caf\xe9\0R  new\0old\0",
    b"refs/heads/main\nrefs/tags/main\n",
    b"remote: error: no\nfatal: unable to access 'https://me:secret@host/x.git/': gone\n",
]
SIGNS = st.lists(st.sampled_from(["HEAD", "main", ":/x", "0123", "@{1}", "", "\0", "-x", "a..b"]), min_size=1)


@holds(st.lists(mutated(GIT), min_size=1, max_size=6), st.lists(st.integers(0, 1), max_size=4), SIGNS, examples=200)
def test_git_gives_a_commit_or_a_reason(outputs: list[bytes], statuses: list[int], revs: list[str]) -> None:
    said = iter(
        [(data.decode(errors="replace"), status) for data, status in zip(outputs * 4, statuses * 9, strict=False)]
    )

    def ask(*_: Any, **__: Any) -> Result:
        output, status = next(said, ("", 1))
        return Result(status, output)

    for rev in revs:
        with contextlib.suppress(ZddError):
            assert source.ID.fullmatch(source.find_commit(ask, rev, "/srv/shop"))
    with mock.patch.object(Commands, "run", ask), tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/.git")
        with contextlib.suppress(ZddError):
            SourceFolder(folder, Commands(), {}).uncommitted(COMMIT)
    for data in outputs:
        text = data.decode(errors="replace")
        source.untrusted("/srv/shop", text)
        assert unreachable.gist(text.splitlines())


FETCHED = [
    f"{COMMIT}\t\tbranch 'main' of /srv/shop\n{COMMIT[::-1]}\tnot-for-merge\ttag 'v1' of /srv/shop\n".encode(),
    COMMIT.encode() + b"\t\tbranch 'caf\xe9\xe2\x80\xa8' of https://host/x\n",
]


@holds(mutated(FETCHED))
def test_what_was_fetched_is_a_set_of_words(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/FETCH_HEAD"
        Path(path).write_bytes(data)
        found = source.fetched(path)

    assert all(found)


TITLES = [
    b"nginx: master process /usr/sbin/nginx -g daemon on; -c /etc/nginx/nginx.conf -p /srv\0",
    b"nginx: worker process is shutting down\0",
    b"angie: master process v1.5.0 #1 [/usr/sbin/angie -c /etc/angie.conf]\0",
    b"/usr/bin/python3\0-m\0zdd\0",
]
PROC = {
    "cmdline": TITLES,
    "stat": [b"12 (a) (b) c) S 1 " + b"7 " * 50],
    "environ": [b"ZDD_INSTANCE=web-1\0A=\xe9\0=x\0noequals\0"],
    "status": [b"Name:\ta\\n\xff\nUid:\t0\t0\t0\t0\nNSpid:\t12\t1\nSigPnd:\t0000000000000000\n"],
    "mountinfo": [b"22 1 0:1 / /srv\\040x rw - ext4 /dev/a rw\n23 1 0:2 /a\\012b /run rw - tmpfs t rw\n"],
    "net/unix": [
        b"Num       RefCount Protocol Flags    Type St Inode Path\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 1234 /run/x\ny /run/x\n"
    ],
}


@contextlib.contextmanager
def proc(files: dict[str, bytes]) -> Iterator[None]:
    """Let /proc have these files for every process, as far as a user decides what is in them."""

    def of(path: str) -> bytes:
        return next((data for name, data in files.items() if path.endswith(f"/{name}")), b"")

    with mock.patch("zdd.host.proc.read", of):
        yield


# Of the other files a user decides about parts only: the name of a process, a mount point, the path of a socket.
names = mutated([b"a", b"a b", b"(x)", b"a) S 1", b"\xe9", b"\\040"]).map(lambda name: name.replace(b"\0", b"")[:200])


@holds(mutated(TITLES), mutated(PROC["environ"]), names, examples=200)
def test_a_process_may_call_itself_anything(words: bytes, variables: bytes, name: bytes) -> None:
    files = {
        "cmdline": words,
        "environ": variables,
        "stat": b"12 (" + name + b") S 1 " + b"7 " * 50,
        "status": b"Name:\t" + name.replace(b"\n", b"\\n") + b"\n" + PROC["status"][0],
        "mountinfo": b"21 1 0:9 / /" + name.replace(b" ", b"\\040").replace(b"\n", b"\\012") + b" rw - ext4 a rw\n",
    }
    with proc(files):
        known = title.title_of(1)
        running.is_master(1)
        process.environment(1)
        process.user_ids(1)
        usage.cpu_seconds(1)
        namespaces._on_mount(1, "/srv/x")
        found = process.Process.find(1)
        list(running.masters_of("/etc/nginx/nginx.conf"))

    assert found == process.Process(1, 7)
    assert known.absolute_conf_file is None or known.absolute_conf_file.startswith("/")


@holds(mutated(PROC["net/unix"]), examples=100)
def test_a_socket_may_be_called_anything(table: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/unix"
        Path(path).write_bytes(table)

        def opened(_: str, *args: Any, **kwargs: Any) -> Any:
            return open(path, *args, **kwargs)

        with mock.patch.object(net_unix, "open", opened, create=True):
            count = net_unix.connections_by_name("/run/x", 1)
            net_unix.listening_paths([])

    assert count >= 0


NGINX = [
    b"nginx version: nginx/1.22.1\nconfigure arguments: --user=www-data --conf-path=/etc/nginx/nginx.conf\n",
    b"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)\n",
    b'2024/01/01 10:00:00 [emerg] 12#12: unknown directive "x" in /etc/nginx/nginx.conf:3\n',
    b"# zdd shop uid 0 /run/zdd/shop\nupstream web { server unix:/run/zdd/shop/current/web/00; }\n",
]


@holds(mutated(NGINX), examples=200)
def test_what_nginx_prints_is_a_reason_or_none(data: bytes) -> None:
    text = data.decode(errors="replace")
    reason = complaints.in_output(text)
    assert reason
    complaints.hint(reason)
    whose.of_text(text)
    binary = Binary("/usr/sbin/nginx", Commands())
    with mock.patch.object(Commands, "run", return_value=Result(0, text)), contextlib.suppress(ZddError):
        assert len(binary.version) == 3


FILES = {
    "package.json": json_texts(
        [{"main": "server.js", "dependencies": {"express": "^4"}, "scripts": {"start": "node a.js", "build": "x"}}]
    ),
    "Procfile": mutated([b"web: gunicorn app:app --bind 0.0.0.0:$PORT\nworker: celery -A app worker\nrelease: x y\n"]),
    "pyproject.toml": mutated([b'[project]\ndependencies = ["fastapi"]\n[tool.poetry.dependencies]\ndjango = "1"\n']),
    "requirements.txt": mutated([b"Django==4.2\nuvicorn[standard]>=0.1 # x\n"]),
    "app.py": mutated([b"from fastapi import FastAPI\napp = FastAPI()\n"]),
}


@holds(st.fixed_dictionaries({}, optional=FILES), examples=200)
def test_init_proposes_what_zdd_reads_or_nothing(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shop")
        path.mkdir()
        for name, data in files.items():
            (path / name).write_bytes(data)
        proposal = propose(Folder(path))
        if proposal is None:
            return
        text = toml(proposal, "shop", 8080, is_repository=False, has_env=False)
        assert tomllib.loads(text)
        (path / "deploy.toml").write_text(text)
        assert read.load(path / "deploy.toml").services


TOLD = [
    b"postgres://user:password@host/db --token=x 'A=b c' Authorization: Bearer abc\n",
    b'API_KEY="x y" ' + b"a" * 3000 + b"=" * 300,
]


@holds(mutated(TOLD), st.sampled_from(["", "\xb2", "9" * 5000, "80", "-1"]), examples=100)
def test_every_text_can_be_shown(data: bytes, width: str) -> None:
    text = data.decode(errors="replace")
    secret.hide(text)
    with mock.patch.dict(os.environ, COLUMNS=width, LINES=width):
        assert 0 < terminal.size().columns < 10_000
