"""What no waiting makes better is refused when it is known, not at a deadline, and called what it is."""

from __future__ import annotations

import socket

from tests.waiting import eventually

from .project import PLAIN, Project, configure, service, version
from .stranger import MALLORY, needs_root


@needs_root[0]
@needs_root[1]
def test_a_socket_of_another_user_at_the_apps_path_is_named_at_once(project: Project) -> None:
    """As of an app that `run` starts by sudo: its keeper would wait for ever for one that it may lead nginx to."""
    run = "/bin/sh -c 'exec sleep 600' {socket}"
    configure(project, service("web", run=run, socket="unix", health_path="/", start_timeout="60s", user="nobody"))
    deploy = project.beside()
    path = project.runtime / "instances/web-1/app.1/socket"
    eventually(lambda: path.parent.stat().st_uid == MALLORY.pw_uid)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert deploy.wait(60) == 1

    assert f"app.1/socket is a socket of user 0, and the app is user {MALLORY.pw_uid}\n" in deploy.said()
    assert "nginx is led to no socket of another user's" in deploy.said()


def test_a_file_at_the_apps_path_is_called_what_it_is(project: Project) -> None:
    run = "/bin/sh -c 'echo > \"$0\"; exec sleep 600' {socket}"
    configure(project, service("web", run=run, socket="unix", health_path="/", start_timeout="2s"))

    assert "app.1/socket is no socket\n" in project.zddeploy(code=1).stderr


def test_a_version_that_ends_behind_nginx_is_named_and_not_nginx(project: Project) -> None:
    """It leaves nginx's request in the queue, where it would wait for as long as nginx has patience."""
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    run = "python -S broken.py dies_once_it_is_switched_to {fd}"
    configure(project, service("web", run=run, health_path="/health"))
    version(project, 2)

    refused = project.zddeploy(code=1)

    assert "web: web-2 ended with exit status 1 right after it was healthy; its log says: the queue" in refused.stderr
    assert "nginx" not in refused.stderr
    assert "web 1" in project.get()


def test_what_nginx_refuses_is_told_while_the_new_version_boots(project: Project) -> None:
    """Nothing makes the text better, and a version may take minutes to start."""
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    project.write("more.conf", "nonsense on;\n")
    slow = service("web", run="python -S broken.py hangs {fd}", health_path="/", start_timeout="10m")
    configure(project, slow, nginx='server_include = "more.conf"\n')
    version(project, 2)

    refused = project.zddeploy(code=1)

    assert 'unknown directive "nonsense"' in refused.stderr
    assert f"that is line 1 of {project.folder}/more.conf" in refused.stderr
    assert "web 1" in project.get()
    assert list(project.instances()) == ["web-1"]
