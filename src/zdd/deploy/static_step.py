"""The step of a deploy that looks at the folders of its static services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zdd.deploy.steps import Step
from zdd.routing.manifest import Manifest

if TYPE_CHECKING:
    from zdd.project import Project


def look(target: Manifest) -> Step:
    """Look, before anything is switched, whether nginx will find these folders and may read them."""

    def do(project: Project) -> None:
        from zdd.release import static_folder  # here, because only projects with releases need that part

        users = project.proxy.worker_users()
        for name, at in target.static.items():
            static_folder.require(name, project.folder_of(at.release), at.folder, users)
        project.unite_static(target)

    folders = ", ".join(f"{name}: {at.folder} of release {at.release}" for name, at in target.static.items())
    return Step("static", f"look at what nginx serves: {folders}", do)
