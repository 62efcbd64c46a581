"""nginx's times, as nginx reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zdd.nginx.config import units

TIMES = {
    "0": 0,
    "5": 5,
    "60ms": 0.06,
    "1h30m": 5400,
    "1h 30m": 5400,
    "1h  30m ": 5400,
    "1w2d": 777600,
    "1s5": 6,
    "1m10s500ms": 70.5,
    "30m1h": None,
    "1h1h": None,
    "5 5": 10,
    "5 5 5": None,
    "5 1h": None,
    "1ms 5": 5.001,
    "1.5s": None,
    "-1": None,
    "1S": None,
    "1M": None,
    "1y": None,
    "s": None,
    " 5s": None,
    "": None,
    "5s;": None,
    "\u0665": None,
    "$x": None,
}


@pytest.mark.parametrize(("time", "seconds"), TIMES.items())
def test_a_time_is_read(time: str, seconds: float | None) -> None:
    assert units.seconds(time) == pytest.approx(seconds)


def test_nginx_takes_the_same_times(program: str, tmp_path: Path) -> None:
    taken = {}
    for time in TIMES:
        temporary = " ".join(f"{what}_temp_path temp;" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        pool = f'upstream u {{ server 127.0.0.1:1; keepalive 1; keepalive_time "{time}"; }}'
        (tmp_path / "nginx.conf").write_text(f"pid pid; error_log stderr; events {{}} http {{ {temporary} {pool} }}")
        result = subprocess.run([program, "-t", "-p", tmp_path, "-c", "nginx.conf"], capture_output=True, timeout=20)
        taken[time] = result.returncode == 0

    assert taken == {time: seconds is not None for time, seconds in TIMES.items()}
