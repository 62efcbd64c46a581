"""Static services, and the URL paths of assets, in both kinds of files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zdd.conf import show
from zdd.conf.assets import by_path, folders
from zdd.conf.read import load
from zdd.conf.schema import Config
from zdd.conf.services import StaticService
from zdd.errors import UsageError

TOML = '[release]\nsource = "."\n[service.site]\nstatic = "dist/"\n'
INI = "[release]\nsource = .\n[service:site]\nstatic = dist\n"


def read(folder: Path, text: str, name: str = "deploy.toml") -> Config:
    path = folder / "shop" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return load(path)


def refusal(folder: Path, text: str, name: str = "deploy.toml") -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, text, name)
    return re.sub(r"^.*?: (line [0-9]+: )?", "", str(caught.value).partition("\n")[0])


@pytest.mark.parametrize(
    ("name", "text"), [("deploy.toml", f"{TOML}spa = true"), ("deploy.conf", f"{INI}spa = true\n")]
)
def test_a_static_service_is_a_folder_with_a_route(tmp_path: Path, name: str, text: str) -> None:
    config = read(tmp_path, text, name)

    site = config.services["site"]
    assert site == StaticService(name="site", static="dist", spa=True)
    assert (site.kind, site.is_routed, site.is_worker, site.instances) == ("static", True, False, 0)
    assert (config.static, config.apps, list(config.routed)) == ({"site": site}, {}, ["site"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[service.site]\nstatic = "dist"', '[service.site] static needs a [release] section, with source = "." and'),
        (f'{TOML}run = "x"', "[service.site] static and run exclude each other"),
        (f'{TOML}start = "x"', "[service.site] static and start exclude each other"),
        (f'{TOML}[nginx]\ntemplate = "n.template"', "[service.site] static needs zdd's own nginx text, and here"),
        (f'{TOML}[nginx]\ninclude = "i"\nreload = "r"', "[service.site] static needs zdd's own nginx text, and here"),
        (TOML.replace("dist/", "."), '[service.site] static = "." is not allowed; it must be a folder inside the rel'),
        (TOML.replace("dist/", "/srv/www"), '[service.site] static = "/srv/www" is not allowed'),
        (TOML.replace("dist/", "../x"), '[service.site] static = "../x" is not allowed'),
        (f"{TOML}spa = 1", "[service.site] spa = 1 is not allowed; it must be true or false"),
        (f'{TOML}spa = "true"', '[service.site] spa = "true" is not allowed; it must be true or false'),
        (f"{TOML}instances = 2", "[service.site] instances is not a known key; instances is for a program, and"),
        (f'{TOML}root = "x"', "[service.site] root is not a known key; did you mean static?"),
        (f'{TOML}path = "/a$b"', '[service.site] path = "/a$b" is not allowed for a static service'),
        (f'{TOML}[service.web]\nrun = "x"', "[service.web] has the same route as service site"),
        ('[service.web]\nrun = "x"\nspa = true', "[service.web] spa is not a known key; spa goes with static"),
        (
            "[release]\nsource='.'\nassets = {'/' = 'a'}\n[service.web]\nrun = 'x'",
            '[release] assets = "/" is not allowed; it must be paths inside the release such as public/assets, or URL',
        ),
        ("[release]\nsource='.'\nassets = {'/a' = '../b'}\n[service.web]\nrun = 'x'", '[release] assets = "../b" is'),
        ("[release]\nsource='.'\nassets = {'a' = 'b'}\n[service.web]\nrun = 'x'", '[release] assets = "a" is not'),
        (
            "[release]\nsource='.'\nassets = {'/a' = 'b', '/a/' = 'c'}\n[service.web]\nrun = 'x'",
            '[release] assets = "/a/" is not allowed',
        ),
    ],
)
def test_what_clashes_is_refused_at_reading(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/n.template").touch()

    assert refusal(tmp_path, text).startswith(said)


@pytest.mark.parametrize("key", ["run", "start"])
def test_of_a_service_that_is_two_things_nothing_else_is_said(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, f'[service.site]\nstatic = "dist"\n{key} = "x"')

    assert "exclude each other" in str(caught.value)
    assert "[release]" not in str(caught.value)


def test_assets_have_a_url_path_of_their_own_or_that_of_their_name(tmp_path: Path) -> None:
    table = '{"/_next/static" = ".next/static/", "/x/" = "y"}'
    toml = read(tmp_path, TOML.replace("[service", f"assets = {table}\n[service"))
    ini = read(
        tmp_path,
        INI.replace("[service", "assets =\n    /_next/static = .next/static\n    /x = y\n[service"),
        "deploy.conf",
    )
    plain = read(tmp_path, TOML.replace("[service", 'assets = ["public/assets", "a/"]\n[service'))

    assert toml.release
    assert ini.release
    assert plain.release
    assert toml.release.assets == ini.release.assets == {"/_next/static": ".next/static", "/x": "y"}
    assert by_path(toml.release.assets) == {"/_next/static/": ".next/static", "/x/": "y"}
    assert by_path(plain.release.assets) == {"/assets/": "public/assets", "/a/": "a"}
    assert folders(plain.release.assets) == ["public/assets", "a/"]


def test_a_line_without_a_path_among_paths_is_refused(tmp_path: Path) -> None:
    text = INI.replace("[service", "assets =\n    /x = y\n    public\n[service")

    assert "give each folder a URL path" in refusal(tmp_path, text, "deploy.conf")


def test_what_config_shows_is_read_again_as_it_was(tmp_path: Path) -> None:
    text = TOML.replace("[service", 'assets = {"/_next/static" = ".next/static"}\n[service') + "spa = true\n"
    config = read(tmp_path, text)

    again = read(tmp_path, "\n".join(show.toml(show.sections(config, {}))))

    assert (again.services, again.release) == (config.services, config.release)
