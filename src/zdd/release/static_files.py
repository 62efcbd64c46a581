"""The static services' files: of a release that is built, and of all releases those whose names tell their content."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from zdd.conf.services import StaticService
from zdd.errors import DeployFailed, counted, of_system, shorten
from zdd.host import files
from zdd.layout import Layout
from zdd.nginx.config import hashed_names
from zdd.release import assets, static_folder
from zdd.release.shelf import Shelf
from zdd.release.work import BuildFailed


def finish(
    shelf: Shelf, paths: Layout, services: Mapping[str, StaticService], release: str, interrupt: Callable[[], None]
) -> None:
    """
    Make the static services' folders of a release fit for nginx, before the release is complete.

    Raises BuildFailed where one is missing, or has no index.html.
    """
    if not services:
        return
    path = shelf.path(release)
    for name, service in services.items():
        try:
            static_folder.require(name, path, service.static)
            if told := static_folder.remove_links_out(f"{path}/{service.static}", paths.shared):
                shelf.notice(f"{name}: {told}")
            static_folder.require(name, path, service.static)  # index.html itself may have been such a link
        except DeployFailed as error:
            raise BuildFailed(error.message, [], None, hint=error.hint) from error
        _report_closed(shelf, name, f"{path}/{service.static}")
    times, existing = static_folder.Times(paths.static_times), shelf.ids()
    before = next((one for one in existing if one in times.stamped), None)
    for folder in dict.fromkeys(service.static for service in services.values()):
        old = f"{shelf.path(before)}/{folder}" if before else None
        static_folder.give_times(f"{path}/{folder}", old, times, interrupt)
    times.note(release, existing)


def unite(shelf: Shelf, paths: Layout, folders: Mapping[str, str], is_final: bool) -> None:
    """
    Make S/static/SERVICE contain the files of all releases whose names tell their content, the newest release first.

    `folders` has the folder of each static service. A page of an earlier release still finds its files there. What was
    made for other services is removed if this `is_final`: before the switch the version before may need it. Raises
    DeployFailed; then no file that existed is missing.
    """
    try:
        files.open_folder(paths.static, 0o755)
        releases = shelf.ids() if folders else []
        for name in os.listdir(paths.static) if is_final else ():
            if name not in folders:
                files.remove_tree(f"{paths.static}/{name}")
        for service, folder in folders.items():
            tops = [top for release in releases if os.path.isdir(top := f"{shelf.path(release)}/{folder}")]
            assets.unite(f"{paths.static}/{service}", tops, ["."], hashed_names.matches)
    except OSError as error:
        raise DeployFailed(f"cannot unite the static files: {of_system(error)}") from error


def _report_closed(shelf: Shelf, service: str, folder: str) -> None:
    """Report the files of root's that nginx's workers, another user, cannot read."""
    if os.geteuid() == 0 and (closed := static_folder.closed_files(folder)):
        which = f"{counted(len(closed), 'file')} cannot be read by nginx: {shorten(closed, 3)}"
        shelf.notice(f"{service}: {which}; `chmod -R a+rX` what visitors may see")
