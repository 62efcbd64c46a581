from __future__ import annotations

from pathlib import Path

import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.deploy import plan
from zdd.deploy.plan import Observed, Request
from zdd.errors import UsageError
from zdd.routing.manifest import Manifest

WEB_AND_API = '[service.web]\nrun = "web"\ninstances = 2\n[service.api]\nrun = "api"\nsocket = "tcp"\npath = "/api"\n'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path, WEB_AND_API)


def configured(folder: Path, services: str) -> Config:
    path = folder / "deploy.toml"
    path.write_text('[zdd]\nproject = "shop"\n' + services)
    return read.load(path)


def planned(config: Config, current: Manifest | None = None, **request: object) -> Manifest:
    last = {"web": 7, "api": 3} if current else {}
    observed = Observed(current, current.deploy if current else 0, last)
    return plan.manifest(config, observed, Request("deploy", **request), 1.0)  # type: ignore[arg-type]


def names(config: Config, current: Manifest | None = None, **request: object) -> list[str]:
    return [step.line for step in plan.before_commit(planned(config, current, **request), current, config)]


def test_a_first_deploy_publishes_before_nginx_hears_of_it(config: Config) -> None:
    assert names(config) == [
        "deploy 1",
        "start web-1",
        "start web-2",
        "start api-1",
        "prepare the switch",
        "wait until healthy: web-1, web-2, api-1",
        "switch: web/00 to web-1, web/01 to web-2",
        "nginx: reload if its text changes, start if it does not run",
        "one request for each changed service through nginx",
        "commit: from here on nothing is undone",
    ]


def test_a_plan_has_the_commands_that_will_run_and_nothing_that_will_not(tmp_path: Path) -> None:
    hooks = 'before_start = "migrate"\nafter_switch = "warm up"\n[service.web]\nrun = "web"\nbake = "30s"\n'
    config = configured(tmp_path, hooks + 'before_start = "check"\n[service.api]\nrun = "api"\npath = "/api"\n')

    lines = names(config, release="1234")

    assert lines[:3] == ["deploy 1", "build release 1234", "before_start: `migrate`, web `check`"]
    assert lines[-3:] == [
        "after_switch: `warm up`",
        "watch the new version for 30 s",
        "commit: from here on nothing is undone",
    ]


def test_a_reload_for_tcp_is_verified_before_the_switch(config: Config) -> None:
    steps = [step.name for step in plan.before_commit(planned(config, planned(config)), planned(config), config)]

    assert steps.index("probe") < steps.index("proxy") < steps.index("publish") < steps.index("check")


def test_instance_numbers_are_never_used_again(config: Config) -> None:
    assert list(planned(config, planned(config)).instances) == ["web-8", "web-9", "api-4"]


def test_a_named_service_moves_alone(config: Config) -> None:
    current = planned(config)

    target = planned(config, current, services=("api",))

    assert list(target.instances) == ["web-1", "web-2", "api-4"]
    assert [instance.name for instance in target.new(current)] == ["api-4"]


def test_an_unknown_service_is_named_with_the_known_ones(config: Config) -> None:
    with pytest.raises(UsageError, match="has no service 'wbe'") as caught:
        planned(config, services=("wbe",))

    assert caught.value.hint == "it has: web, api"


def test_a_service_that_left_the_configuration_is_left_out(config: Config, tmp_path: Path) -> None:
    current = planned(config)
    only_web = configured(tmp_path, '[service.web]\nrun = "web"\ninstances = 2\n')

    assert list(planned(only_web, current).instances) == ["web-8", "web-9"]


def test_new_slots_lead_to_the_old_version_until_the_switch(tmp_path: Path) -> None:
    single = configured(tmp_path, '[service.web]\nrun = "web"\n')
    current = planned(single)
    three = configured(tmp_path, '[service.web]\nrun = "web"\ninstances = 3\n')

    target = planned(three, current)

    assert plan.union_slots(target, current) == {"web/00": "web-1", "web/01": "web-1", "web/02": "web-1"}
    steps = [step.name for step in plan.before_commit(target, current, three)]
    assert steps.index("publish-union") < steps.index("proxy") < steps.index("publish")


def test_old_slots_lead_somewhere_until_nginx_has_forgotten_them(tmp_path: Path) -> None:
    current = planned(configured(tmp_path, '[service.web]\nrun = "w"\n[service.blog]\nrun = "b"\npath = "/blog"\n'))
    target = planned(configured(tmp_path, '[service.web]\nrun = "w"\n'), current)

    assert plan.union_slots(target, current) == {"web/00": "web-1", "blog/00": "blog-1"}


def test_a_service_that_becomes_static_has_both_slots_meanwhile_and_each_leads_to_its_own_kind(tmp_path: Path) -> None:
    built = '[release]\nsource = "."\n[service.site]\n'
    app = configured(tmp_path, f'{built}run = "site"\n')
    static = configured(tmp_path, f'{built}static = "dist"\n')
    current = planned(app)
    target = planned(static, current, release="r2")

    union = {"site/00": "site-1", "site/static": "releases/r2/dist"}
    assert plan.union_slots(target, current) == union
    assert plan.union_slots(current, target) == union
    assert (target.changed(current), target.services(), target.instances) == (["site"], ["site"], {})


def test_a_static_service_that_is_not_named_keeps_its_folder(tmp_path: Path) -> None:
    both = configured(
        tmp_path, '[release]\nsource = "."\n[service.web]\nrun = "w"\npath = "/w"\n[service.site]\nstatic = "dist"\n'
    )
    current = planned(both, release="r1")

    target = planned(both, current, services=("web",), release="r2")

    assert target.slots() == {"web/00": "web-8", "site/static": "releases/r1/dist"}
    assert (target.changed(current), target.releases()) == (["web"], {"web": "r2", "site": "r1"})
    assert plan.union_slots(target, current) is None


def test_with_the_same_slots_there_is_no_union(config: Config) -> None:
    assert plan.union_slots(planned(config, planned(config)), planned(config)) is None
