"""The releases of a project: resolve what would be built, build it, prune old ones, unite their assets."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple

from zdd.conf import assets as conf_assets
from zdd.conf.schema import ReleaseSection
from zdd.errors import DeployFailed, UsageError, counted, of_system, shorten
from zdd.host import files, own_process
from zdd.host.command import Commands, cannot_run
from zdd.host.process import ended
from zdd.paths import Paths
from zdd.release import assets, disk, git, git_environment, shared, static_files, strays
from zdd.release.shelf import Shelf, number_of, numbered
from zdd.release.source import locate
from zdd.release.work import BuildFailed, Work

_SEARCHED_LINES = 1000  # of the output of a failed build


class Revision(NamedTuple):
    """A release to build: its `id`, and its commit if the source is a git repository."""

    id: str
    commit: str | None


class Releases(Shelf):
    """
    The shelf of releases, with the operations that fill and empty it.

    `interrupt` is called at least every 50 ms while a program runs, and may raise.
    """

    def __init__(
        self,
        section: ReleaseSection,
        paths: Paths,
        commands: Commands,
        notice: Callable[[str], None] = lambda _: None,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(paths, notice)
        self.section = section
        self.commands = commands
        self.interrupt = interrupt
        self.paths = paths
        self._reported_unreadable = False
        self._not_source = {os.path.realpath(paths.state), os.path.realpath(paths.runtime)}
        self._located = locate(section.source)
        top, prefix = self._located or (section.source, "")
        self._mirror = git.Mirror(paths.mirror, top, commands, interrupt, notice, prefix)

    def resolve(self, rev: str | None = None, rebuild: bool = False) -> Revision:
        """
        Return the release that would be built, after fetching a git repository; `rev` overrides the section's.

        A commit that was built before with the same `build` and `shared` gets the same id: `build` reuses that release,
        the latest of several. With `rebuild` it gets an id of its own.
        Raises UsageError for an unknown source or revision, DeployFailed if it cannot be fetched.
        """
        shared.check(self.section.shared, self.paths.shared)
        source, rev = self.section.source, rev or self.section.rev
        if self._located and (commit := self._commit(rev)):
            self._report_uncommitted(commit)
            return Revision(self._choose(commit[:12], commit, rebuild), commit)
        if not os.path.isdir(source):
            raise UsageError(f"[release] source: {source} does not exist")
        if rev:
            raise UsageError(f"[release] source: {source} is no git repository and has no revision {rev!r}")
        return Revision(self._choose(time.strftime("%Y%m%d-%H%M%S", time.gmtime()), None), None)

    def _commit(self, rev: str | None) -> str | None:
        """Return the commit, None if the source is a folder in a repository that does not have it."""
        mirror, source = self._mirror, self.section.source
        try:
            commit = mirror.commit(rev)
        except OSError as error:
            raise DeployFailed(f"cannot fetch {mirror.shown}: {of_system(error)}") from error
        if mirror.has_folder(commit):
            return commit
        where = f"{mirror.prefix} is not in commit {commit[:12]} of {mirror.shown}"
        if rev:
            raise UsageError(f"[release] source: {where}", hint="name a commit that has this folder")
        if not mirror.folder.ignores(source):
            self.notice(f"{where}: {source} is deployed as it is, whatever is committed")
        return None

    def build(self, revision: Revision, log: str) -> str:
        """
        Return the release's path once it is complete and on disk; reuse it if it is complete already.

        Output is appended to the file `log`. Raises BuildFailed. After any exception, also one of `interrupt`, the
        partial release is removed and no program of the build runs.
        """
        path, begun = self.path(revision.id), files.size(log)
        if not self.is_complete(revision.id):
            try:
                self._build(revision, log)
            except BaseException as error:
                self.discard([revision.id])
                if isinstance(error, OSError):
                    message = f"cannot build release {revision.id}: {of_system(error)}"
                    raise BuildFailed(message, files.tail(log, 20, begun), log) from error
                raise
        self.make_newest(revision.id)
        return path

    def prune(self, served: Sequence[str], keep: Collection[str]) -> list[str]:
        """
        Remove releases, half-built ones too; keep the first `keep_releases` of those that have `served` (the latest
        first), those in `keep`, and the current one.

        Returns the removed releases. `notice` reports releases that cannot be removed; the next deploy tries again.
        """
        kept = {*served[: self.section.keep_releases], *keep, self.current()}
        removed = self.discard([release for release in self.ids() if release not in kept])
        return removed + self.discard_half_built(keep)

    def unite_assets(self) -> None:
        """
        Update S/assets from the `assets` folders of all complete releases, the newest first.

        A file keeps its path in the release: public/app.css is S/assets/public/app.css. Hidden ones are left out. Does
        nothing without `assets`. Raises DeployFailed; then no file that existed is missing.
        """
        if not (folders := conf_assets.folders(self.section.assets)):
            return
        try:
            releases = [self.path(release) for release in self.ids()]
            closed = assets.unite(self.paths.assets, releases, folders, assets.shown(folders))
        except OSError as error:
            raise DeployFailed(f"cannot unite the assets: {of_system(error)}") from error
        self._report_unreadable(closed)

    def _report_unreadable(self, paths: list[str]) -> None:
        """Report, once, the files of root's that nginx's workers, another user, cannot read."""
        if paths and not self._reported_unreadable and os.geteuid() == 0:
            self._reported_unreadable = True
            which = f"{counted(len(paths), 'file')} of assets cannot be read by nginx: {shorten(paths, 3)}"
            self.notice(f"{which}; `chmod o+r` what visitors may see")

    def _report_uncommitted(self, commit: str) -> None:
        """Report uncommitted files, which are not deployed. The configuration does not count: it is read in place."""
        prefix = self._mirror.prefix
        ours = os.path.relpath(os.path.realpath(self.paths.config.path), os.path.realpath(self._mirror.source))
        listed = self._mirror.folder.uncommitted(commit, prefix)
        if names := [name.removeprefix(f"{prefix}/") for name in listed if name != ours]:
            changes = f"uncommitted changes in {self.section.source} ({counted(len(names), 'file')})"
            self.notice(f"{changes} are not deployed: {shorten(names, 3)}")

    def _build(self, revision: Revision, log: str) -> None:
        path, commit = self.path(revision.id), revision.commit
        self.remove(revision.id)
        files.open_folder(self.folder, 0o755)
        if commit is None:
            disk.copy(os.path.realpath(self.section.source), path, self._not_source, self.interrupt)
        else:
            os.mkdir(path, 0o755)
            self._mirror.checkout(commit, path, log)
        shared.link(path, self.paths.shared, self.section.shared, self.notice)
        self._run_commands(revision.id, log)
        self._look_for_strays(path, is_copy=commit is None)
        self._finish_files(revision.id)
        disk.sync(path)
        files.write(self.marker(revision.id), self._made_of(commit, own_process.UMASK), sync=True)

    def _finish_files(self, release: str) -> None:
        """Make what nginx will serve by itself fit for it."""
        sites = self.paths.config.static
        static_files.finish(self, self.paths, sites, release, conf_assets.by_path(self.section.assets))
        assets = (folder.rstrip("/") for folder in conf_assets.folders(self.section.assets))
        folders = [*(site.static for site in sites.values()), *assets]
        static_files.give_times(self, self.paths, folders, release, self.interrupt)

    def _run_commands(self, release: str, log: str) -> None:
        path = self.path(release)
        own = {"ZDD_PROJECT": self.paths.config.project, "ZDD_RELEASE": release, "ZDD_RELEASE_PATH": path}
        building = Work(self.commands, path, git_environment.inherited() | own, self.interrupt)
        for command in self.section.build:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"$ {command}\n")
            begun = files.size(log)
            try:
                status = building.run(["/bin/sh", "-ec", command], path, log)
            except OSError as error:
                raise BuildFailed(f"build: {cannot_run(command, error)}", [], log) from error
            if status != 0:
                message = f"build: `{command}` ended with {ended(status)}"
                from zdd import cause  # here, because most builds succeed

                output = files.tail(log, _SEARCHED_LINES, begun)
                raise BuildFailed(cause.with_cause(message, output), output, log)

    def _look_for_strays(self, path: str, is_copy: bool) -> None:
        """Raise BuildFailed if a service would run another environment's packages; report what else leads out."""
        scripts = strays.scripts(path)
        for app in self.paths.config.apps.values() if scripts else ():
            if script := strays.run_by(app, path, scripts):
                what = f"{script} of the release runs with the Python and the packages of {scripts[script]}"
                always = "every release, and a rollback, would have those"
                raise BuildFailed(f"{app.name}: {what}: {always}", [], None, hint=strays.CURE)
        if scripts:
            self.notice(strays.sentence(scripts))
        if is_copy and (links := strays.links(path, self.section.source)):
            leads = "leads" if len(links) == 1 else "lead"
            self.notice(f"{shorten(links, 3)} of the release {leads} into {self.section.source}, which may change")

    def _choose(self, name: str, commit: str | None, rebuild: bool = False) -> str:
        """
        Return the latest release of this commit that equals what would be built, or else a free id with this name.

        With `rebuild` the id is new, and higher than that of every release with this name.
        """
        last = max([0, *(number_of(release) for release in self._names() if release.startswith(name))])
        ids = map(partial(numbered, name), count(last + 1 if rebuild else 1))
        earlier = [] if rebuild else map(partial(numbered, name), range(last, 0, -1))
        for release in earlier:
            if commit and self.is_complete(release) and self._is_alike(release, commit):
                return release
        return next(release for release in ids if self._is_free(release, reuse=commit is not None))

    def _is_free(self, release: str, reuse: bool) -> bool:
        """Return whether a release may be built under this id; to `reuse` is to build over a partial one."""
        if self.is_complete(release):
            return False
        return not os.path.lexists(self.path(release)) or (reuse and not self.is_used(release))

    def _is_alike(self, release: str, commit: str) -> bool:
        """Return whether a release equals what would be built, modes included (before 0.2 the umask set them)."""
        made_of = files.read(self.marker(release))
        if made_of == self._made_of(commit, own_process.UMASK):
            return True
        is_open = os.stat(self.path(release)).st_mode & 0o055 == 0o055
        return is_open and made_of == self._made_of(commit)

    def _made_of(self, commit: str | None, *more: object) -> str:
        """Return the marker text that distinguishes releases; hashed, since `build` may contain a secret."""
        prefix = [self._mirror.prefix] if self._mirror.prefix else []
        static = sorted({service.static for service in self.paths.config.static.values()})
        made_of = [commit, self.section.build, self.section.shared, *prefix, *static, *more]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest() + "\n"
