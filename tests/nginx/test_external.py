"""An nginx that somebody else started, and commands that test and reload it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.errors import UsageError
from zdd.host import acl
from zdd.host.clock import Clock
from zdd.nginx import conf_file, external
from zdd.nginx.config import render
from zdd.nginx.config.include import Source
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import Mark, Seen
from zdd.nginx.external import ExternalNginx
from zdd.nginx.process import running
from zdd.nginx.process.commanded import CommandedNginx
from zdd.nginx.process.complaints import ProxyError

from .house import House

MARK = Mark("0123456789ab", "5" * 32, "a" * 32)
GOOD = "upstream web { server 127.0.0.1:1; }\n"
OTHER = "upstream web { server 127.0.0.1:2; }\n"
BAD = "upstream web {\n"


@pytest.fixture
def included(house: House) -> ExternalNginx:
    """What zdd writes; its nginx runs, and each command leaves a line in a file."""
    path = f"{house.folder}/upstreams.conf"
    Path(path).write_text(GOOD)
    text = house.simple("here").replace("http {", f"http {{\n    include {path};")
    house.nginx.apply(text)
    nginx = f"{house.binary.path} -p {house.folder} -c {house.conf_file}"
    return house.external(f"echo reload >>{house.folder}/ran; {nginx} -s reload", f"{nginx} -t -q")


def reloads(house: House) -> int:
    ran = Path(house.folder) / "ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def test_a_new_text_is_reloaded_and_verified_and_the_same_one_is_nothing_to_do(
    house: House, included: ExternalNginx
) -> None:
    before = set(included.workers())

    assert included.change(OTHER) == "reloaded"

    assert not before & set(included.workers())
    assert included.change(OTHER) == "unchanged"
    assert reloads(house) == 1


def test_a_text_that_fails_its_test_is_taken_back_without_a_reload(house: House, included: ExternalNginx) -> None:
    with pytest.raises(ProxyError, match="unexpected end of file"):
        included.change(BAD)

    assert included.file.text() == GOOD
    assert included.runs(GOOD)
    assert reloads(house) == 0


def test_a_failing_reload_puts_the_old_text_back_and_an_nginx_that_never_read_the_other_one_is_left_alone(
    house: House, included: ExternalNginx
) -> None:
    failing = house.external(
        f'echo reload >>{house.folder}/ran; grep -q "127.0.0.1:1" {house.folder}/upstreams.conf', patience=0.5
    )

    with pytest.raises(ProxyError, match="ended with status 1"):
        failing.change(OTHER)

    assert included.file.text() == GOOD
    assert included.runs(GOOD)
    assert reloads(house) == 1


def test_a_command_that_does_not_reload_does_not_pass_for_one(house: House, included: ExternalNginx) -> None:
    with pytest.raises(ProxyError, match="no new worker came within"):
        house.external("true", patience=0.2).change(OTHER)

    assert included.file.text() == GOOD
    assert included.runs(GOOD)  # its workers are those of before, and the next reload reads this text


def test_a_crash_between_the_new_text_and_the_reload_is_repaired_by_the_next_command(
    house: House, included: ExternalNginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(included.process, "_run", killed)
        with pytest.raises(KeyboardInterrupt):
            included.change(OTHER)

    assert included.change(OTHER) == "reloaded"
    assert reloads(house) == 1


def test_restoring_brings_the_old_text_back_but_never_takes_the_upstreams_away(included: ExternalNginx) -> None:
    included.change(OTHER)

    for before in (GOOD, None):
        included.change_back(before, stop=True)

    assert included.file.text() == GOOD
    assert included.serves()


def test_processes_that_cannot_be_seen_are_said_to_be_trusted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "is_master", lambda pid: False)

    assert "its processes cannot be seen" in house.external("true").change(GOOD)


def test_a_folder_that_is_not_there_is_a_matter_of_usage(house: House) -> None:
    nowhere = house.external("true", include="/nowhere/a.conf")

    with pytest.raises(UsageError, match=r"cannot write /nowhere/a\.conf"):
        nowhere.change(GOOD)


def test_the_text_has_an_upstream_for_each_service_and_no_date() -> None:
    text = render.include("shop", {"web": ["unix:/r/web/00"], "api": ["127.0.0.1:8000"]}, (1, 22, 1), MARK)

    assert text.index("upstream api {") < text.index("upstream web {")
    assert text == render.include("shop", {"api": ["127.0.0.1:8000"], "web": ["unix:/r/web/00"]}, (1, 22, 1), MARK)


@pytest.mark.parametrize("aside", [True, False], ids=["tested aside", "tested in place"])
def test_a_refused_text_is_never_what_nginx_runs_in_the_end_if_somebody_else_reloads_during_its_test(
    house: House, included: ExternalNginx, monkeypatch: pytest.MonkeyPatch, aside: bool
) -> None:
    """Where it cannot be tested aside, somebody else's reload may read it, and then another one takes it back."""
    if not aside:
        monkeypatch.setattr(CommandedNginx, "_test_aside", lambda *_: False)
    nginx = f"{house.binary.path} -p {house.folder} -c {house.conf_file}"
    reload = f"echo reload >>{house.folder}/ran; {nginx} -s reload"
    failing = house.external(reload, f"{nginx} -s reload; sleep 1; echo too late; false")

    with pytest.raises(ProxyError, match="too late"):
        failing.change(OTHER)

    assert failing.runs(GOOD)
    assert reloads(house) == (0 if aside and os.geteuid() == 0 else 1)


def test_a_reload_that_fails_for_another_sites_fault_is_told_soon_and_leaves_no_doubt(
    house: House, included: ExternalNginx
) -> None:
    before = set(house.workers())
    with socket.create_server(("127.0.0.1", 0)) as other:
        text = Path(house.conf_file).read_text()
        server = f"server {{ listen 127.0.0.1:{other.getsockname()[1]}; }}"
        Path(house.conf_file).write_text(text.replace("server {", f"{server}\n    server {{", 1))
        without_test = house.external(f"{house.binary.path} -p {house.folder} -c {house.conf_file} -s reload")

        with pytest.raises(ProxyError, match=r"bind\(\) to .* failed \(98: ") as refused:
            without_test.change(OTHER)

    assert refused.value.certain
    assert included.runs(GOOD)
    assert set(included.workers()) == before


@pytest.mark.parametrize("words", ["", "proxy_protocol"])
def test_what_the_server_block_takes_is_asked_whoever_has_port_443(house: House, words: str) -> None:
    port = free_port()
    site = (
        f"server {{ listen 127.0.0.1:{port} {words}; server_name shop.test; location / {{ proxy_pass http://web; }} }}"
    )
    Path(house.folder, "site").write_text(site)
    Path(house.folder, "upstreams.conf").write_text(GOOD)
    house.nginx.apply(house.simple("here").replace("http {", "http { include upstreams.conf; include site;", 1))
    nginx = house.external("true", more='health_host = "shop.test"')

    assert nginx.visits(["web"]) == [Visit("web", ("127.0.0.1", port), "shop.test", "/", proxy_protocol=bool(words))]
    assert nginx.unasked() == {}
    assert not [one for one in nginx.text_findings() if "leads to web" in one.what]


def test_what_another_program_answers_is_not_asked(
    house: House, included: ExternalNginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G8: 443 belonged to another program, and each deploy was refused for that one's TLS."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        ports = ((stranger.getsockname()[1], True), (house.port, False))
        monkeypatch.setattr(external, "_PORTS", ports)
        monkeypatch.setattr(conf_file, "included", lambda pattern: [Source(pattern, None)])  # it cannot be read
        proxy = house.external("true", more='health_host = "shop.test"')

        (visit,) = proxy.visits(["web"])

    assert visit.address == ("127.0.0.1", house.port)
    assert not visit.tls


def test_a_main_configuration_of_any_bytes_is_read(house: House) -> None:
    Path(house.folder, "upstreams.conf").write_text(GOOD)
    port = free_port()
    site = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://web; }} }}"
    house.nginx.apply(house.simple("here").replace("http {", f"http {{ include upstreams.conf; {site}", 1))
    latin = Path(house.conf_file).read_bytes() + "# caf\xe9\n".encode("latin-1")
    Path(house.conf_file).write_bytes(latin)

    assert house.external("true").visits(["web"]) == [Visit("web", ("127.0.0.1", port), "localhost", "/")]


def commanded(house: House, seen: Callable[[], Seen | None]) -> CommandedNginx:
    """An nginx whose master cannot be seen; its answers show what `seen` returns."""
    config = house.external("true").config
    return CommandedNginx(
        config.nginx, house.commands, Clock(), lambda: None, MARK.digest, seen, f"{house.folder}/trial"
    )


def test_of_an_nginx_that_cannot_be_seen_a_text_with_other_ports_is_not_believed(house: House) -> None:
    texts = {port: MARK.seal(f"upstream web {{ server 127.0.0.1:{port}; }}\n{MARK.lines()}\n") for port in (1, 2)}
    Path(house.folder, "upstreams.conf").write_text(texts[1])
    shown: list[str] = []
    nginx = commanded(house, lambda: Seen(MARK.digest(shown[-1]) or "", 1) if shown else None)

    for wanted in (texts[2], texts[1]):  # to and back: after the first, nobody knows which one runs
        with pytest.raises(ProxyError, match="nothing shows which text nginx runs") as unknown:
            nginx.apply(wanted)
        assert not unknown.value.certain
        assert not nginx.runs(texts[1])

    shown.append(texts[1])
    nginx.apply(texts[1])
    assert nginx.runs(texts[1])


def test_of_an_nginx_that_cannot_be_seen_slots_are_believed_as_they_lead_where_the_table_says(house: House) -> None:
    Path(house.folder, "upstreams.conf").write_text("upstream web { server unix:/r/current/web/00; }\n")
    text = MARK.seal(f"upstream web {{ server unix:/r/current/web/00; }}\n{MARK.lines()}\n")
    nginx = commanded(house, lambda: None)

    nginx.apply(text)

    assert nginx.runs(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_an_nginx_of_another_user_may_read_a_text_that_nobody_else_may(tmp_path: Path) -> None:
    path = tmp_path / "upstreams.conf"
    file = conf_file.ConfFile(str(path), lambda: 65534)

    file.put(MARK.seal(MARK.lines()))

    assert acl.read(str(path))[0] == {65534: acl.READ}
    assert path.stat().st_mode & 0o707 == 0o600
    file.put("no words in it")
    assert acl.read(str(path))[0] == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces")
def test_a_text_is_tested_before_anybody_else_can_read_it(house: House, included: ExternalNginx) -> None:
    nginx = f"{house.binary.path} -p {house.folder} -c {house.conf_file}"
    path = Path(house.folder, "upstreams.conf")
    test = f"cp {path} {house.folder}/tested; touch {house.folder}/testing; sleep 1; {nginx} -t -q"
    texts: list[str] = []

    def look() -> None:
        eventually(lambda: Path(house.folder, "testing").exists())
        texts.append(path.read_text())

    proxy = house.external(f"{nginx} -s reload", test)
    thread = Thread(target=look)
    thread.start()
    assert proxy.change(OTHER) == "reloaded"
    thread.join()

    assert texts == [GOOD]
    assert Path(house.folder, "tested").read_text() == OTHER
    assert path.read_text() == OTHER
    with pytest.raises(ProxyError, match="unexpected end of file"):
        proxy.change(BAD)
    assert proxy.runs(OTHER)
    assert not list(Path(house.folder).glob("S/nginx.trial*"))


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("sudo: a password is required", "nobody can type a password here"),
        ("nginx: [emerg] duplicate upstream web", "rename the service"),
        ("cannot load certificate key /etc/k: Permission denied", "it reads what only root may, such as a TLS key"),
    ],
)
def test_a_command_that_fails_for_a_known_reason_is_told_with_what_helps(house: House, output: str, hint: str) -> None:
    with pytest.raises(ProxyError, match="ended with status 1") as failed:
        house.external("true", f"echo '{output}'; false").change(GOOD)

    assert hint in (failed.value.hint or "")


def test_the_one_reload_for_the_mark_of_a_text_that_an_older_zdd_has_written_is_told(
    house: House, included: ExternalNginx
) -> None:
    path = Path(house.folder, "upstreams.conf")
    slots = f"upstream web {{ server unix:{included.paths.current}/web/00; }}\n"
    for deploy, before in ((1, GOOD), (2, slots)):
        os.makedirs(included.paths.table(deploy))
        path.write_text(before)
        wanted = included.mark.seal(f"{slots}{included.mark.lines()}\n")

        said = included.apply(deploy, wanted)

        assert said.startswith("reloaded")
        assert ("this once" in said) == (before == slots)
    assert included.apply(2, wanted) == "unchanged"
