"""`zddeploy certificates` where there is none: why, and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from zdd.cli.main import program

WEB = '[service.web]\nrun = "app {fd}"\n'


@pytest.mark.parametrize(
    ("nginx", "told"),
    [
        ("", 'nginx does not speak HTTPS: https = "auto" in [nginx] has one issued for each host at the next deploy'),
        ('https = "auto"\nserver_name = "shop.test"', "there are none yet: a deploy has them issued"),
        ('include = "S/shop.conf"\nreload = "true"', "an nginx of your own keeps its own certificates"),
    ],
)
def test_without_a_certificate_it_is_said_why(tmp_path: Path, nginx: str, told: str) -> None:
    path = tmp_path / "deploy.toml"
    state = f'state_dir = "{tmp_path}/S"\nruntime_dir = "{tmp_path}/R"'
    path.write_text(f'[zdd]\nproject = "shop"\n{state}\n[nginx]\n{nginx}\n{WEB}')

    result = CliRunner().invoke(program, ["certificates", "-c", str(path)], standalone_mode=False)

    assert told in result.output
