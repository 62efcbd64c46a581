"""The README's five commands, typed on a bare host with an authority beside it; then deploys over HTTPS."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator

import pytest

from ..pages import DOCS, ROOT, Page
from .authority import BUNDLE, LetsEncrypt
from .guide import NAME, Desk
from .host import ADDRESS, MIXED, Host, Visitors, assert_nothing_lost
from .shop import APP

GUIDE = Page(DOCS / "guides/certificates.md")
SECTION = Page(ROOT / "README.md").section("From a bare Debian host to a site with a certificate")
CONF, COMMANDS = SECTION
REPOSITORY = "https://git.example.org/shop.git"
LOOK = f"""
import socket, ssl, sys
context = ssl.create_default_context(cadata=sys.stdin.read())
with context.wrap_socket(socket.create_connection(("{ADDRESS}", 443), 10), server_hostname="{NAME}") as connection:
    print(connection.getpeercert()["subjectAltName"], connection.version())
"""


@pytest.fixture(scope="module")
def authority(bare: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LetsEncrypt]:
    made = LetsEncrypt(bare, tmp_path_factory.mktemp("authority"))
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def desk(bare: Host, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The repository is at hand under its address, and the name leads to the host; it has no nginx."""
    bare.root("systemctl", "disable", "--quiet", "--now", "nginx")
    bare.root("apt-get", "purge", "--quiet", "--yes", "nginx-light", "nginx-common")
    bare.root("sh", "-c", f"echo {ADDRESS} {NAME} >> /etc/hosts")
    made = Desk(bare, tmp_path_factory.mktemp("desk"))
    made.write("shop/app.py", APP)
    made.write("shop/VERSION", "1\n")
    made.write(CONF.where, CONF.text)
    bare.root("git", "init", "--quiet", "--bare", "--initial-branch", "main", "/opt/shop.git")
    bare.root("git", "config", "--system", "url./opt/shop.git.insteadOf", REPOSITORY)
    made.run(f"git push --quiet root@{NAME}:/opt/shop.git main", "shop")
    return made


def test_five_commands_lead_to_a_site_with_a_certificate_and_deploys_lose_nothing(
    bare: Host, desk: Desk, authority: LetsEncrypt
) -> None:
    assert len(COMMANDS.commands()) == 5
    assert f" {REPOSITORY} " in COMMANDS.text

    shown = desk.do(COMMANDS)

    assert "accepts the terms of service of Let's Encrypt" in shown
    assert re.search(rf"{NAME}: a new certificate by Pebble.*, (89|90) days left", shown)
    looked = desk.near_with(authority.root(), sys.executable, "-c", LOOK)
    assert f"(('DNS', '{NAME}'),) TLSv1.3" in looked
    assert f"location: https://{NAME}/some?where" in desk.curl("/some?where", "--head", scheme="http").lower()
    assert desk.curl("/") == "1"

    visitors = Visitors(f"{ADDRESS}:443", kinds=MIXED, host=NAME, tls=True)
    for number in ("2", "3"):
        desk.write("shop/VERSION", f"{number}\n")
        desk.run(f"git push --quiet root@{NAME}:/opt/shop.git main", "shop")
        desk.run(f"ssh root@{NAME} 'cd /srv/shop && git pull --quiet && /opt/zdd/bin/zddeploy'")
        assert desk.curl("/") == number
    report = visitors.report()
    assert_nothing_lost(report)
    assert report.reconnects == 0


def test_what_the_guide_says_is_typed(bare: Host, desk: Desk, authority: LetsEncrypt) -> None:
    bare.root("ln", "-s", "/opt/zdd/bin/zddeploy", "/usr/local/bin/")
    (look,) = [block for block in GUIDE.section("Renewal") if block.is_to_do]
    (own,) = [block for block in GUIDE.section("An authority of your own") if block.is_to_do]
    assert [block for block in GUIDE.blocks if block.is_to_do] == [look, own]

    shown = typed(desk, look.text)
    assert re.search(rf"{NAME} +Pebble.* days left", shown)
    assert "no certificate is due" in shown
    assert f"Environment=REQUESTS_CA_BUNDLE={BUNDLE}" in typed(desk, own.text)


def typed(desk: Desk, text: str) -> str:
    return desk.run(f"ssh root@{NAME} {shlex.quote(f'cd /srv/shop && {text}')}").stdout


def test_the_timer_renews_and_disable_removes_it(bare: Host, desk: Desk, authority: LetsEncrypt) -> None:
    timers = bare.root("systemctl", "list-timers", "--all", "--no-legend").stdout
    assert "zdd-shop.certificates.timer" in timers

    bare.root("systemctl", "start", "zdd-shop.certificates.service")
    journal = bare.root("journalctl", "--unit", "zdd-shop.certificates", "--output", "cat").stdout
    assert "no certificate is due" in journal
    told = desk.run(f"ssh root@{NAME} /opt/zdd/bin/zddeploy -c /srv/shop/deploy.toml certificates").stdout
    assert re.search(rf"{NAME} +Pebble.* days left", told)

    desk.run(f"ssh root@{NAME} /opt/zdd/bin/zddeploy -c /srv/shop/deploy.toml disable")
    assert "zdd-shop" not in bare.root("systemctl", "list-timers", "--all", "--no-legend").stdout
    desk.run(f"ssh root@{NAME} /opt/zdd/bin/zddeploy -c /srv/shop/deploy.toml down")
