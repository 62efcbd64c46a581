"""config: the configuration as zdd reads it, without its secrets."""

from __future__ import annotations

import json
import tomllib

import jsonschema

from ..system.classic import ClassicProject


def test_it_shows_the_whole_configuration_and_where_things_are(project: ClassicProject) -> None:
    shown = project.zddeploy("config").stdout

    assert '\nproject = "shop"\n' in shown
    assert f'state_dir = "{project.state}"' in shown
    assert '\n# stop_timeout = "10s"\n' in shown
    assert tomllib.loads(shown)["service"]["web"]["stop"] == "kill"


def test_json_has_each_value_and_whether_it_is_the_default(project: ClassicProject) -> None:
    config = json.loads(project.zddeploy("config", "--json").stdout)

    assert (config["project"], config["conf"]) == ("shop", str(project.folder / "deploy.conf"))
    assert config["sections"]["zdd"]["project"] == {"value": "shop", "default": False}
    assert config["sections"]["service.web"]["stop_timeout"] == {"value": "10s", "default": True}


def test_it_changes_nothing(project: ClassicProject) -> None:
    project.zddeploy("config")

    assert not project.state.exists()
    assert not project.runtime.exists()


def test_the_schema_for_editors_needs_no_project(project: ClassicProject) -> None:
    (project.folder / "deploy.conf").unlink()

    schema = json.loads(project.zddeploy("config", "--schema").stdout)

    jsonschema.Draft7Validator.check_schema(schema)
    assert "health_path" in json.dumps(schema)


def test_verbose_and_logs_show_no_secrets(project: ClassicProject) -> None:
    project.configure(web={"start": "sh -c 'API_TOKEN=x1 exit 7'"})

    result = project.zddeploy("-v", code=1)

    assert "API_TOKEN=****" in result.stdout
    assert "API_TOKEN=****" in result.stderr
    everything = result.stdout + result.stderr + project.log("deploy-*.log") + project.zddeploy("history").stdout
    assert "x1" not in everything
