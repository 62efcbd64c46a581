"""What an nginx master's title says."""

from __future__ import annotations

import pytest

from zdd.host import process
from zdd.nginx.process.title import Title, title_of


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("nginx: master process /usr/sbin/nginx", Title("/usr/sbin/nginx", None, None)),
        ("nginx: master process nginx -c /etc/my site.conf", Title(None, "/etc/my site.conf", None)),
        ("nginx: master process /n -p /srv/ -c conf/a", Title("/n", "conf/a", "/srv/")),
        ("nginx: master process /n -c/etc/a -g daemon off;", Title("/n", "/etc/a", None)),
        ("nginx: worker process -c /etc/a", Title()),
        ("angie: master process v1.7.0 #6 [/usr/sbin/angie -c /etc/a]", Title("/usr/sbin/angie", "/etc/a", None)),
        ("angie: master process v1.7.0 #1 [angie -g daemon off;]", Title()),
        ("angie: master process /usr/sbin/angie", Title("/usr/sbin/angie", None, None)),
        ("angie: worker process #6", Title()),
        ("vi -c /etc/a", Title()),
    ],
)
def test_options_are_read_of_a_master_alone(monkeypatch: pytest.MonkeyPatch, title: str, said: Title) -> None:
    monkeypatch.setattr(process, "title", lambda pid: title)

    assert title_of(1) == said


def test_a_relative_path_names_no_file_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "title", lambda pid: "nginx: master process nginx -c conf/a")

    assert title_of(1).absolute_conf_file is None
