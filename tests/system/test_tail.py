"""nginx's pooled connections may lead to the old version for a moment, however long the loaded text lets them."""

from __future__ import annotations

from .at_load import behind_template, deploy_at_load
from .project import PLAIN, Project, assert_nothing_lost, assert_only_reloads_cost, service, version

POOL = "keepalive 64; keepalive_time 1s; keepalive_timeout 1s;"  # as zdd 0.1 wrote it
OURS = "upstream web { {web.servers} }"


def test_no_post_is_lost_behind_pools_of_a_second_nor_by_the_change_to_shorter_ones(project: Project) -> None:
    behind_template(project, "", service("web", **PLAIN, keep_warm="0s"))
    of_a_second = f"upstream web {{ server unix:{project.runtime}/current/web/00; {POOL} }}"
    project.replace("nginx.conf.template", OURS, of_a_second)
    project.zddeploy()

    for number in (2, 3):
        version(project, number)
        assert_nothing_lost(deploy_at_load(project, host="www.test", paths="/echo")[1])

    project.replace("nginx.conf.template", of_a_second, OURS)
    version(project, 4)
    assert_only_reloads_cost(deploy_at_load(project, host="www.test", paths="/echo")[1])

    version(project, 5)
    result, report = deploy_at_load(project, host="www.test", paths="/echo")
    assert_nothing_lost(report)
    assert (result["outcome"], result["unproved"], set(report.answered)) == ("done", [], {"4", "5"})
