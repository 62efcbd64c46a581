"""`zddeploy -c FILE -v`, its exit codes, and how deploy.conf is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from .site import WEB, Site, await_end, lives, start


@pytest.mark.parametrize("option", ["-c", "--conf"])
def test_c_names_a_file_anywhere_whose_paths_are_relative_to_its_own_folder(site: Site, option: str) -> None:
    site.file = site.file.rename(site.folder / "site of 2011.conf")
    elsewhere = site.folder / "elsewhere"
    site.write("elsewhere/deploy.conf", "[nginx]\ntemplate: none\npid_file: none\n[service:x]\nstart: false\n")

    site.deploy(option, "../site of 2011.conf", cwd=elsewhere)

    assert site.get().endswith("web 1\n")
    assert site.number("web.pid") == site.number("web.current.pid")
    assert sorted(path.name for path in elsewhere.iterdir()) == ["deploy.conf"]


def test_v_shows_the_commands_that_are_run(site: Site) -> None:
    first = site.deploy("-c", str(site.file), "-v", cwd=Path("/"))
    pid = site.number("web.pid")
    assert start("web") in first

    second = site.deploy("-c", str(site.file), "-v", cwd=Path("/"))

    assert start("web") in second
    assert f"kill -TERM {pid}" in second
    assert "nginx" in second
    assert str(site.folder) in second
    await_end(pid)


def test_a_start_that_fails_exits_with_1_and_changes_nothing(site: Site) -> None:
    site.deploy()
    files, processes, reloads = site.files(), site.processes(), site.reloads()
    site.release("2")
    site.configure(web={"start": "sh -c 'echo oh no; exit 3'"})

    with site.visited():
        said = site.deploy(code=1)

    assert "oh no" in said
    assert (site.files(), site.processes(), site.reloads()) == (files, processes, reloads)
    assert site.get().endswith("web 1\n")


def test_what_is_wrong_before_anything_is_touched_exits_with_2(site: Site) -> None:
    site.deploy("-c", "no-such.conf", code=2)
    (site.folder / "nginx.conf.template").unlink()

    site.deploy(code=2)

    assert site.processes() == set()
    assert site.files() == {}
    site.template(WEB)


def test_default_and_interpolation_are_read_as_in_2011(site: Site) -> None:
    site.write(
        "deploy.conf",
        f"""\
# a comment
; another one
[DEFAULT]
root_of_2011: {site.folder}
program_of_2011 = {start("web")}

[nginx]
template: %(root_of_2011)s/nginx.conf.template
pid_file = %(root_of_2011)s/run/nginx.pid

[service:web]
PID_FILE : %(base_of_2011)s.pid
base_of_2011 = %(ROOT_of_2011)s/web
start:%(program_of_2011)s    ; a comment behind it
stop = sh -c 'echo 100%% $1 > stopped;kill -TERM $1'
   the-second-line
""",
    )
    (site.folder / "run").mkdir()
    said = site.deploy()
    pid = site.number("web.pid")

    site.deploy()

    assert site.get().endswith("web 1\n")
    assert lives(site.number("run/nginx.pid"))
    await_end(pid)
    assert (site.folder / "stopped").read_text().split() == ["100%", str(pid)]
    assert "_of_2011" not in said, "what feeds other keys is worth no warning"


def test_unknown_keys_and_sections_are_passed_over_with_one_warning(site: Site) -> None:
    text = (site.folder / "deploy.conf").read_text()
    text = text.replace("[nginx]\n", "[nginx]\ncolour_of_2011: blue\nlisten: eighty\n")
    site.write("deploy.conf", f"{text}watch_of_2011: yes\nhalf: %(nothing)s\n\n[supervisor_of_2011]\nport: 9001\n")

    for _ in range(2):
        said = site.deploy().splitlines()

        assert site.get().endswith("web 1\n")
        (warning,) = [line for line in said if "_of_2011" in line]
        assert all(word in warning for word in ("deploy.conf", "colour", "listen", "watch", "half", "supervisor"))
