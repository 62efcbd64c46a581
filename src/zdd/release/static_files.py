"""
What nginx serves by itself of a release that is built: the folders of static services, and the times of all such files;
and, of all releases, the static services' files whose names tell their content.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from zdd.conf.services import StaticService
from zdd.errors import DeployFailed, counted, of_system, shorten
from zdd.host import files, trees
from zdd.layout import Layout
from zdd.nginx.config import hashed_names
from zdd.release import assets, static_folder
from zdd.release.shelf import Shelf
from zdd.release.work import BuildFailed


def finish(
    shelf: Shelf,
    paths: Layout,
    services: Mapping[str, StaticService],
    release: str,
    assets_at: Mapping[str, str] = {},
) -> None:
    """
    Make the static services' folders of a release fit for nginx, before the release is complete.

    `assets_at` has the folder of assets at each URL path. Raises BuildFailed where the folder of a static service is
    missing, or has no index.html.
    """
    path = shelf.path(release)
    for name, service in services.items():
        try:
            static_folder.require(name, path, service.static)
            if removed := static_folder.settle_links(f"{path}/{service.static}", paths.shared):
                shelf.notice(f"{name}: {removed}")
            static_folder.require(name, path, service.static)  # index.html itself may have been such a link
        except DeployFailed as error:
            raise BuildFailed(error.message, [], None, hint=error.hint) from error
        _report_closed(shelf, name, f"{path}/{service.static}")
        _report_hidden(shelf, service, path, assets_at)
        if other := static_folder.other_contents(f"{path}/{service.static}"):
            which = f"{shorten(other, 3)} in {service.static}"
            what = "not made of the file beside it, in whose place most browsers get it"
            shelf.notice(f"{name}: {which}: {what}; let the build compress what it has made, as its last command")


def give_times(
    shelf: Shelf, paths: Layout, folders: Iterable[str], release: str, interrupt: Callable[[], None]
) -> None:
    """
    Give the files in these folders of a release their times, before the release is complete; see static_folder.

    A folder that is missing, or leads out of the release, is left out.
    """
    top = shelf.path(release)
    inside = [folder for folder in dict.fromkeys(folders) if static_folder.is_inside(top, folder)]
    if not inside:
        return
    times, existing = static_folder.Times(paths.static_times), shelf.ids()
    if not times.last:  # the first release, or the record is lost
        others = (f"{shelf.path(other)}/{folder}" for other in existing for folder in inside)
        times.last = max(map(static_folder.latest_second, others), default=0)
    for folder in inside:
        before = next((other for other in existing if f"{other}/{folder}" in times.stamped), None)
        old = f"{shelf.path(before)}/{folder}" if before else None
        static_folder.give_times(f"{top}/{folder}", old, times, interrupt)
    times.note(release, inside, existing)


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
                trees.remove(f"{paths.static}/{name}")
        for service, folder in folders.items():
            tops = [top for release in releases if os.path.isdir(top := f"{shelf.path(release)}/{folder}")]
            assets.unite(f"{paths.static}/{service}", tops, ["."], hashed_names.matches)
    except OSError as error:
        raise DeployFailed(f"cannot unite the static files: {of_system(error)}") from error


def _report_closed(shelf: Shelf, service: str, folder: str) -> None:
    """Report what of root's nginx's workers, another user, cannot read."""
    if os.geteuid() == 0 and (closed := static_folder.closed(folder)):
        which = f"{counted(len(closed), 'path')} cannot be read by nginx: {shorten(closed, 3)}"
        shelf.notice(f"{service}: {which}; `chmod -R a+rX` what visitors may see")


def _report_hidden(shelf: Shelf, service: StaticService, path: str, assets_at: Mapping[str, str]) -> None:
    """Report a folder of the site that nobody gets, as other assets are at its URL path."""
    prefix = f"{service.path.rstrip('/')}/"
    for where, folder in assets_at.items():
        if not where.startswith(prefix) or where == prefix:
            continue
        own = f"{service.static.rstrip('/')}/{where.removeprefix(prefix)}"
        if os.path.isdir(f"{path}/{own}") and os.path.realpath(f"{path}/{own}") != os.path.realpath(f"{path}/{folder}"):
            shelf.notice(f"{service.name}: {own} is not served: at {where} is {folder}, by assets of [release]")
