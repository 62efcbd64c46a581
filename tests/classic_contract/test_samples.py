"""The three samples, as they are: only nginx's port is another one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from .site import Site, await_childless, await_end, children, lives

SAMPLES = Path(__file__).parents[2] / "samples"


def use(site: Site, name: str) -> str:
    """Put a sample in the place of the project's own files; returns its template's text."""
    shutil.copytree(SAMPLES / name, site.folder, dirs_exist_ok=True)
    text = (SAMPLES / name / "nginx.conf.template").read_text()
    return site.template(re.sub(r"listen [^;]+;", "listen 127.0.0.1:PORT;", text))


@pytest.mark.parametrize("name", ["gunicorn", "node", "twisted"])
def test_a_sample_is_deployed_three_times(site: Site, name: str) -> None:
    template = use(site, name)
    site.deploy()
    master, first = site.number("nginx.pid"), site.number(f"{name}.current.pid")
    assert not (site.folder / f"{name}.previous.pid").exists()

    for version in ("2", "3"):
        before, workers = site.number(f"{name}.pid"), children(master)
        site.release(version)
        with site.visited():
            site.deploy()

        assert f"Hello from {name}, version {version}\n" in site.get()
        new = site.number(f"{name}.pid")
        assert new == site.number(f"{name}.current.pid") != before == site.number(f"{name}.previous.pid")
        port = str(site.number(f"{new}.port"))
        expected = template.replace("{nginx_pid_filename}", f"{site.folder}/nginx.pid").replace(f"{{{name}}}", port)
        assert site.conf() == expected.encode()
        assert site.number("nginx.pid") == master
        assert children(master).isdisjoint(workers), "nginx has read the new text"
        await_childless(before)  # gunicorn's master stays, but its workers do not
        assert lives(new)
    await_end(first)  # what a stop command has left is ended by the next deploy


def test_gunicorn_is_stopped_by_kill_winch(site: Site) -> None:
    use(site, "gunicorn")
    site.deploy("-v")
    first, workers = site.number("gunicorn.pid"), children(site.number("gunicorn.pid"))
    assert workers
    site.release("2")

    said = site.deploy("-v")

    assert f"kill -WINCH {first}" in said
    await_childless(first)
    log = (site.folder / "gunicorn.log").read_text()
    assert log.count("Handling signal: winch") == 1
    assert "Hello from gunicorn, version 2\n" in site.get()
    assert site.number("gunicorn.current.pid") != first
