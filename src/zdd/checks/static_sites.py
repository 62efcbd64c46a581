"""Checks of static services: whether nginx's workers can get to the releases."""

from __future__ import annotations

import os
from collections.abc import Iterator

from zdd.finding import Finding, error
from zdd.nginx import users
from zdd.project import Project


def access(project: Project) -> Iterator[Finding]:
    """Check the way to the folders that nginx serves; a deploy looks at the folders themselves before it switches."""
    if not project.config.static:
        return
    folder = project.paths.releases
    if nginx := project.proxy.whereabouts().overlooks(project.paths.state):
        yield error(
            f"nginx (process {nginx.pid}) does not see {project.paths.state}: it has a mount namespace of its own",
            "every request for a static file would be answered 404",
            "end that nginx, or set state_dir in [zdd] to a folder that it sees",
        )
    if closed := users.first_unsearchable_folder(folder, project.proxy.worker_users()):
        place, user = closed
        mode = os.stat(place).st_mode & 0o777
        yield error(
            f"nginx's workers (user {user}) cannot pass {place} (mode {mode:o}) on the way to {folder}",
            "every request for a static file would be answered 404",
            f"once: `setfacl -m u:{user}:x {place}`, or `chmod o+x {place}`; or set state_dir in [zdd]",
        )
