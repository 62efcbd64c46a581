"""
Proves the checks: each of these bugs, planted in a copy of the source, must turn a named test red.

Run it by `./dev chaos` or `python tests/chaos/seeded_bugs.py [NAME...]`. The tree itself is never touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Bug(NamedTuple):
    """A bug: `old` becomes `new` in a file below src/zdd, and `test` must notice."""

    name: str
    file: str
    old: str
    new: str
    test: str


WALK = "tests/deploy/test_walk.py::test_killed_anywhere_and_again_in_the_recovery_something_healthy_serves"

WALK_FULL = (
    "tests/deploy/test_walk.py::test_wherever_space_runs_out_something_healthy_serves_and_with_room_all_is_in_order"
)

STOP_FIRST = "tests/system/test_stop_first.py::test"

BUGS = [
    Bug(
        "the new version starts before the old one has stopped",
        "deploy/stop_first.py",
        "    _park(project, old, longest * _SHARE, fallback=True)\n",
        "",
        f"{STOP_FIRST}_versions_never_overlap_and_requests_wait",
    ),
    Bug(
        "an app whose keeper dies as it stops runs on beside the new version",
        "instances/pool.py",
        "            if self.look(driver.name).state == ORPHANED:  # its keeper",
        "            if False:  # its keeper",
        f"{STOP_FIRST}_the_keeper_of_the_old_version_killed_as_it_stops_still_lets_no_two_run[stopping]",
    ),
    Bug(
        "the new version's keeper starts its app beside one that nobody keeps",
        "keeper/parking.py",
        "        self._ending = [old for old in self._ending if not old.end(begun)]\n",
        "        self._ending = []\n",
        "tests/keeper/test_parking.py::test_an_app_whose_keeper_was_killed_ends_before_the_new_version_starts",
    ),
    Bug(
        "who waits is let in before the new version has proved itself",
        "keeper/keeper.py",
        "            self.hold.begin(self.record.hold_max)\n        self.life.on(states.START_UNATTENDED",
        "            self.hold.end()\n        self.life.on(states.START_UNATTENDED",
        f"{STOP_FIRST}_a_bad_release_answers_nobody_and_the_old_one_is_started_again[errs]",
    ),
    Bug(
        "a new version whose zddeploy died does not fall back",
        "keeper/states.py",
        '        (HELD, FAILED, *PARKING, PARKED): (_SAME, "park, fall back"),\n',
        "",
        "tests/keeper/test_parking.py::test_deserted_before_it_was_told_to_start_the_new_version_gives_back",
    ),
    Bug(
        "switch before healthy",
        "deploy/plan.py",
        "return [*preparing, *_switch(target, before, union), ",
        "return [*preparing[:-1], *_switch(target, before, union), preparing[-1], ",
        f"{WALK}[one service]",
    ),
    Bug(
        "count only accepted connections",
        "host/sock_diag.py",
        "(in_queue or 0) + connected",
        "connected",
        "tests/host/test_sock_diag.py::test_queued_and_accepted_connections_both_count",
    ),
    Bug(
        "unlink before publish",
        "host/files.py",
        "    _replace(link, lambda",
        "    remove(link)\n    _replace(link, lambda",
        "tests/host/test_files.py::test_a_failing_rename_leaves_the_old_file_and_nothing_beside_it",
    ),
    Bug(
        "lock leaked to the keeper",
        "host/lock.py",
        "        self.fd = fd\n        return True",
        "        self.fd = fd\n        os.set_inheritable(fd, True)\n        return True",
        "tests/host/test_lock.py::test_no_child_inherits_the_lock",
    ),
    Bug(
        "commit before bake",
        "deploy/plan.py",
        "return [*([steps.bake(target, seconds)] if seconds else []), steps.commit(target)]",
        "return [steps.commit(target), *([steps.bake(target, seconds)] if seconds else [])]",
        "tests/deploy/test_plan.py::test_a_plan_has_the_commands_that_will_run_and_nothing_that_will_not",
    ),
    Bug(
        "no access for nginx",
        "instances/spec.py",
        '"access": proxy.users,',
        '"access": [],',
        "tests/system/test_table.py::test_deploys_under_load_lose_nothing_and_close_no_client_connection",
    ),
    Bug(
        "prune at once",
        "routing/tables.py",
        "KEEP_REPLACED = 10.0",
        "KEEP_REPLACED = 0.0",
        "tests/routing/test_tables.py::test_a_replaced_table_is_kept_while_somebody_may_still_walk_it",
    ),
    Bug(
        "the table of before lacks the slots that only the new text names",
        "deploy/steps.py",
        "            project.tables.build(before.deploy, added)\n",
        "            pass\n",
        "tests/system/test_older_slots.py::test_an_upload_to_slots_of_a_version_that_is_undone_gets_its_answer",
    ),
    Bug(
        "the direction of an undo is not written down",
        "deploy/recovery.py",
        "    project.tables.turn_back(target)\n",
        "",
        "tests/deploy/test_walk.py::test_a_deploy_that_goes_back_never_goes_forward_again",
    ),
    Bug(
        "who goes back does not write down that it had switched",
        "deploy/recovery.py",
        "    target.exposed = target.exposed or project.tables.published() == str(target.deploy)\n",
        "",
        "tests/deploy/test_walk.py::test_an_instance_that_has_had_requests_outlives_a_zddeploy_killed_in_its_undo",
    ),
    Bug(
        "who serves ends while another version is tried",
        "routing/manifest.py",
        "committed=True, exposed=True)",
        "committed=True)",
        "tests/deploy/test_walk.py::test_what_serves_counts_as_exposed_while_another_version_is_tried",
    ),
    Bug(
        "a reload is not announced to the keepers",
        "deploy/steps.py",
        "            target.exposed = True  # from a reload on, clients may meet the new instances\n",
        "",
        f"{WALK}[tcp]",
    ),
    Bug(
        "the socket's only name is the one that the app is told",
        "keeper/fd_listener.py",
        "        os.rename(name, self.record.keep)\n",
        "        os.symlink(name, self.record.keep)\n",
        "tests/keeper/test_socket.py::test_a_server_that_unlinks_its_name_when_it_ends_is_started_again_and_serves",
    ),
    Bug(
        "the queue stays as short as the app has made it",
        "keeper/fd_listener.py",
        "            self.listen_socket.listen(BACKLOG)\n",
        "",
        "tests/keeper/test_socket.py::test_the_queue_grows_again_when_the_app_cuts_it_while_it_runs",
    ),
    Bug(
        "a link that the app has planted is followed",
        "keeper/unix_listener.py",
        "os.link(self.record.app_socket, fresh, follow_symlinks=False)",
        "os.link(os.path.realpath(self.record.app_socket), fresh)",
        "tests/keeper/test_socket.py::test_a_link_in_the_app_s_folder_leads_nginx_to_nobody_else[unix]",
    ),
    Bug(
        "whoever listens on the port is taken for the app",
        "keeper/operations.py",
        "        if stranger := self.keeper.listener.stranger():\n",
        "        if stranger := None:\n",
        "tests/keeper/test_socket.py::test_another_user_who_listens_on_the_port_is_not_taken_for_the_app",
    ),
    Bug(
        "an undo that could not switch back goes on and stops what serves",
        "deploy/pipeline.py",
        "            stays = step.leads or isinstance(error, NeedsPerson)\n",
        "            stays = False\n",
        f"{WALK_FULL}[unreachable through nginx-inodes]",
    ),
    Bug(
        "the way back does not lie ready before the switch",
        "deploy/steps.py",
        "        project.snapshots.write(project.snapshot(target))\n        project.tables.make_ready(target, back)\n",
        "        project.snapshots.write(project.snapshot(target))\n",
        f"{WALK_FULL}[more instances, unreachable-inodes]",
    ),
    Bug(
        "a boot id that differs is taken for a reboot, whatever lives",
        "living.py",
        " and find(layout) is None",
        "",
        "tests/system/test_boot_id.py::test_a_broken_version_costs_nothing_where_the_boot_id_is_no_help[hidden]",
    ),
    Bug(
        "a process number and a start time prove life across a reboot",
        "living.py",
        "    marks = {name,",
        "    return True\n    marks = {name,",
        "tests/test_living.py::test_another_process_with_the_number_and_time_of_one_before_the_reboot_is_not_it",
    ),
    Bug(
        "the pid file of a stranger is believed",
        "instances/classic/evidence.py",
        "return self.pid_file.shared or self.port_file.shared",
        "return False",
        "tests/system/test_classic_strangers.py::test_somebody_elses_process_is_neither_led_to_nor_stopped",
    ),
    Bug(
        "what is relative is relative to the mirror",
        "release/git.py",
        'of_head = _HEAD + rev[len(base) :] if base in ("@", "HEAD") else rev',
        "of_head = rev",
        "tests/release/test_revision.py::test_what_is_relative_is_relative_to_the_head_of_the_source[url]",
    ),
    Bug(
        "a fetch is believed for its exit status",
        "release/git.py",
        "            return ours == fetched and (bool(ours) or not wants_head)\n",
        "            return True\n",
        "tests/release/test_source.py::test_a_git_that_ends_with_0_and_has_fetched_nothing_is_not_believed[url]",
    ),
    Bug(
        "a refused maintenance stays on",
        "operate/maintenance.py",
        "        files.remove(file) if before is None else files.write(file, before, mode=0o644)\n",
        "",
        "tests/system/test_maintenance.py::test_without_an_nginx_it_is_refused_and_gone",
    ),
    Bug(
        "the umask of the caller holds",
        "cli/main.py",
        "    own_process.set_umask()\n",
        "",
        "tests/system/test_umask.py::test_all_that_is_made_has_the_modes_that_it_has_under_022[077]",
    ),
    Bug(
        "refused code that serves is not told of",
        "operate/in_place.py",
        "return code.digest == digest or code.changed >= since",
        "return False",
        "tests/system/test_in_place.py"
        "::test_an_instance_that_a_crash_has_brought_to_refused_code_is_told_until_good_code_serves[fd]",
    ),
    Bug(
        "a Node app's own path takes the site's socket",
        "instances/listen.cjs",
        " && isNamed(pathOf(asked))",
        "",
        "tests/system/test_node.py"
        "::test_a_path_of_the_apps_own_is_left_to_it_and_the_port_that_follows_is_the_sites[helper]",
    ),
    Bug(
        "a worker of a Node cluster that is disconnected goes on accepting",
        "instances/listen.cjs",
        "if (!value || !server.listening) return",
        "return",
        "tests/system/test_node_cluster.py::test_a_worker_that_is_disconnected_finishes_its_requests_first",
    ),
    Bug(
        "a deploy that has turned back goes forward again",
        "deploy/recovery.py",
        'if target.direction == "forward" and ',
        "if ",
        "tests/deploy/test_walk.py::test_a_deploy_that_goes_back_never_goes_forward_again",
    ),
    Bug(
        "a keeper goes on after a line that is no request",
        "keeper/control.py",
        "understood = all(map(self._answer, lines))",
        "understood = bool([self._answer(line) for line in lines]) or not lines",
        "tests/keeper/test_lease.py::test_nothing_is_done_after_a_line_that_is_no_request[null]",
    ),
    Bug(
        "a restart takes the env_file of now",
        "instances/environment.py",
        "service.from_file if isinstance(service, ResolvedService) else _from_file(service)",
        "_from_file(service)",
        "tests/test_snapshot.py::test_an_app_starts_from_it_whatever_has_become_of_env_file_and_shell",
    ),
    Bug(
        "the gate takes an answer of another service",
        "nginx/gate.py",
        "        if reached == visit.service:\n",
        "        if reached:\n",
        "tests/system/test_gate.py::test_an_answer_of_another_service_is_no_proof_and_is_refused",
    ),
    Bug(
        "a reload is believed by the workers alone while another one is under way",
        "nginx/process/reload.py",
        "        if serving != self._seen or not settled:\n",
        "        if serving != self._seen:\n",
        "tests/system/test_reloads.py::test_somebody_elses_reload_just_before_ours_does_not_pass_for_it[usual-without]",
    ),
    Bug(
        "a master of a stranger's title is believed",
        "nginx/process/master.py",
        "    return process.user_ids(master.pid) in ({0}, {os.geteuid()})\n",
        "    return True\n",
        "tests/system/test_whose_nginx.py::test_a_stranger_with_nginx_s_title_is_not_believed",
    ),
    Bug(
        "an fd service waits for another site's old worker",
        "deploy/cleanup.py",
        "    older = {found.name for found, _ in instances if found.classic or found.port is not None or found.name in led}\n",
        "    older = {found.name for found, _ in instances}\n",
        "tests/system/test_another_hand.py::test_another_sites_old_worker_holds_up_no_deploy",
    ),
    Bug(
        "an fd service waits for the old worker that a port beside it waits for",
        "deploy/cleanup.py",
        "        which = [*(workers if instance.name in older else []), *uncounted]\n",
        "        which = [*workers, *uncounted]\n",
        "tests/deploy/test_older_workers.py"
        "::test_a_socket_does_not_wait_for_the_worker_that_a_port_beside_it_waits_for",
    ),
    Bug(
        "the old ones retired before the commit",
        "deploy/steps.py",
        "        new = target.new(before)\n",
        "        from zdd.deploy.cleanup import clean_up\n\n        clean_up(project, keep_warm=False)\n        new = target.new(before)\n",
        f"{WALK}[unreachable through nginx]",
    ),
    Bug(
        "what is killed is not told",
        "deploy/watch.py",
        "        if kill := kills.of(self.project.paths.kills, name, self._begun):\n",
        '        if kill := kills.of("", name, self._begun):\n',
        "tests/system/test_killed.py::test_a_kill_is_told_by_the_deploy_and_afterwards",
    ),
    Bug(
        "a signal after the commit is not told",
        "deploy/watch.py",
        "        if signal := project.interrupts.last:\n",
        '        if signal := "":\n',
        "tests/system/test_signals.py::test_while_the_old_version_drains_the_deploy_is_done",
    ),
    Bug(
        "what an app prints reaches the terminal as it is",
        "visible.py",
        "    if not _UNSAFE.search(text):\n",
        "    if text:\n",
        "tests/system/test_believed.py::test_nothing_that_an_app_prints_or_answers_does_anything_to_a_terminal",
    ),
    Bug(
        "digits of other scripts are taken for a number",
        "host/foreign.py",
        "    digits = word.isdigit() and word.isascii() and len(word) <= _MOST_DIGITS\n",
        "    digits = word.isdigit() and len(word) <= _MOST_DIGITS\n",
        "tests/host/test_foreign.py::test_anything_else_is_none",
    ),
    Bug(
        "a comment behind a value becomes a part of it",
        "conf/env_file.py",
        '    if re.search(r"(^|[ \\t])#", value):\n',
        '    if value.startswith("#"):\n',
        "tests/conf/test_env_file.py::test_what_the_page_refuses_is_refused_and_what_it_says_to_write_is_read",
    ),
    Bug(
        "the cause is told after the undo",
        "deploy/deploy.py",
        "        project.events.send(Failed.of(cause))\n        cause.is_reported = True\n",
        "        pass\n",
        "tests/system/test_told_at_once.py"
        "::test_the_cause_is_an_event_before_the_undo_and_the_keeper_kills_what_ignores_its_signal",
    ),
    Bug(
        "a reload that nothing shows is taken for done",
        "nginx/process/commanded.py",
        "        if not (seen and seen.digest == self._digest(text)):\n",
        "        if seen and seen.digest != self._digest(text):\n",
        "tests/system/test_another_hand.py::test_with_two_nginx_a_reload_that_fails_silently_is_not_done[usual]",
    ),
    Bug(
        "a redirect of nginx's own proves the new version",
        "nginx/gate.py",
        '            reason = "redirect" if 300 <= answer.status < 400 else "nginx"\n',
        '            reason = "nginx"\n            if 300 <= answer.status < 400:\n                return None\n',
        "tests/system/test_gate.py::test_what_nginx_answers_by_itself_proves_nothing_and_is_told[usual-a redirect]",
    ),
    Bug(
        "the files of a static site keep the times that their build gave them",
        "release/static_folder.py",
        "            os.utime(entry.name, ns=(when, when), dir_fd=entry.parent, follow_symlinks=False)\n",
        "            pass\n",
        "tests/system/test_static_at_load.py::test_no_answer_mixes_two_releases_and_no_304_is_wrong[False]",
    ),
    Bug(
        "nginx follows the slot of a static site anew for each file that it looks for",
        "nginx/config/static.py",
        "default $realpath_root;",
        "default $document_root;",
        "tests/nginx/config/test_static.py::"
        "test_a_page_that_is_a_file_in_one_release_and_a_folder_in_the_other_is_always_there[system-/]",
    ),
    Bug(
        "nginx resolves the slot of a static site once to measure the path, and again to copy it",
        "nginx/config/static.py",
        "set {_ROOT} $zdd_resolved;",
        "set {_ROOT} $realpath_root;",
        "tests/nginx/config/test_static.py::test_releases_whose_paths_differ_in_length[system]",
    ),
    Bug(
        "a name that a person may have given is kept by browsers for a year",
        "nginx/config/static.py",
        "{hashed_names.FOR_EVER}",
        "{hashed_names.PATTERN}",
        "tests/system/test_static.py::test_a_name_that_a_person_may_have_given_is_asked_for_again",
    ),
]


def main() -> int:
    """Try each bug, or those named; returns how many went unnoticed."""
    wanted = [bug for bug in BUGS if not sys.argv[1:] or bug.name in sys.argv[1:]]
    unnoticed = [bug.name for bug in wanted if not is_noticed(bug)]
    print(
        f"{len(wanted) - len(unnoticed)} of {len(wanted)} bugs are noticed"
        + "".join(f"\n  not: {name}" for name in unnoticed)
    )
    return len(unnoticed)


def is_noticed(bug: Bug) -> bool:
    """Plant the bug in a copy of the tree, and tell whether its test turns red there and is green without it."""
    with tempfile.TemporaryDirectory(prefix="zddseed", dir="/tmp") as folder:
        for name in ("src", "tests", "samples", "docs", "pyproject.toml"):
            source = ROOT / name
            copy = Path(folder, name)
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        file = Path(folder, "src/zdd", bug.file)
        text = file.read_text()
        if bug.old not in text:
            sys.exit(f"{bug.name}: {bug.file} has changed, so the bug must be written anew")
        green = runs(folder, bug.test)
        file.write_text(text.replace(bug.old, bug.new, 1))
        red = not runs(folder, bug.test)
    print(
        f"{bug.name}: "
        + ("noticed" if green and red else "NOT noticed" if green else "its test fails without it, too"),
        flush=True,
    )
    return green and red


def runs(folder: str, test: str) -> bool:
    """Tell whether the test passes in the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    env = os.environ | {"PYTHONPATH": f"{folder}/src", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
