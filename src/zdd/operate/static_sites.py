"""What `status` says of static services: they have no instance, and serve as long as their folders are there."""

from __future__ import annotations

import os
from collections.abc import Iterator

from zdd.project import Project
from zdd.routing.manifest import Manifest


def problems(project: Project, current: Manifest) -> Iterator[str]:
    """Yield a sentence for each folder that nginx should serve and that is gone."""
    for name, at in current.static.items():
        folder = f"{project.paths.releases}/{at.release}/{at.folder}"
        if not os.path.isdir(folder):
            yield f"{name} should serve {folder}, which is gone: `zddeploy deploy --rebuild` makes it again"
