"""Static services: a folder of the release, served by nginx, switched and rolled back like every service."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil

import pytest

from tests.waiting import eventually

from .project import APPS, PLAIN, WORKER, Project, leftovers, service
from .static_code import HASHED, Site, ask

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="the workers of an ordinary user's nginx are himself")
FOR_EVER = "public, max-age=31536000, immutable"


def test_a_site_without_any_app_is_deployed_rolled_back_taken_down_and_brought_up(project: Project) -> None:
    site = Site(project)
    assert "no request is known" not in site.deploy(1)
    assert ask(project).text == "<p>1"
    found = project.status()
    assert found["state"] == "serving"
    assert found["services"] == [{"name": "site", "release": found["release"], "instances": []}]
    assert f"site, release {found['release']}: static files" in project.zddeploy("status").stdout

    site.deploy(2)
    assert ask(project).text == "<p>2"
    assert "zddeploy rollback" not in project.zddeploy("check").stderr
    project.zddeploy("rollback")
    assert ask(project).text == "<p>1"
    project.zddeploy("restart")
    assert ask(project).text == "<p>1"

    project.zddeploy("down")
    assert leftovers(project.folder) == []
    project.zddeploy("up")
    assert ask(project).text == "<p>1"
    assert "is up already" in project.zddeploy("up").stdout


def test_after_a_reboot_up_serves_it_again(project: Project) -> None:
    Site(project).deploy(1)
    project.reboot()
    assert project.status()["state"] == "down"

    project.zddeploy("up")

    assert ask(project).text == "<p>1"


def test_recover_starts_nginx_again_and_a_lost_folder_is_told(project: Project) -> None:
    site = Site(project)
    site.deploy(1)
    for pid, _ in leftovers(project.folder):
        os.kill(pid, 9)
    eventually(lambda: leftovers(project.folder) == [])
    assert project.zddeploy("status", code=1).stdout.count("nginx does not run") == 1

    project.zddeploy("recover")
    assert ask(project).text == "<p>1"

    shutil.rmtree(project.state / f"releases/{project.status()['release']}/dist")
    assert "which is gone" in project.zddeploy("status", code=1).stdout


@pytest.mark.parametrize(
    ("path", "status", "cache", "kind"),
    [
        ("/", 200, "no-cache", "text/html"),
        ("/style.css", 200, "no-cache", "text/css"),
        ("/about", 200, "no-cache", "text/html"),
        ("/guide/", 200, "no-cache", "text/html"),
        ("/" + HASHED.format(1), 200, FOR_EVER, "text/javascript"),
        ("/" + HASHED.format(9), 404, "no-cache", "text/html"),
        ("/missing", 404, "no-cache", "text/html"),
        ("/empty/", 404, "no-cache", "text/html"),
        ("/.env", 404, "no-cache", "text/html"),
        ("/.git/config", 404, "no-cache", "text/html"),
        ("/.well-known/security.txt", 200, "no-cache", "text/plain"),
    ],
)
@pytest.mark.usefixtures("each_nginx")
def test_each_path_has_its_status_type_and_caching(
    project: Project, path: str, status: int, cache: str, kind: str
) -> None:
    site = Site(project)
    site.make(1)
    for name in ("about.html", "guide/index.html", "404.html", ".env", ".git/config", ".well-known/security.txt"):
        site.write(f"dist/{name}", name)
    (site.folder / "dist/empty").mkdir()
    project.zddeploy()

    answer = ask(project, path)

    assert answer.status == status
    assert answer.headers["cache-control"] == cache
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert "x-zdd-slot" not in answer.headers
    if status == 404:
        assert answer.text == "404.html"
    redirected = ask(project, "/guide")
    assert (redirected.status, redirected.headers["location"]) == (301, "/guide/")
    assert redirected.headers["cache-control"] == "no-cache"


@pytest.mark.usefixtures("each_nginx")
def test_browsers_may_ask_whether_it_has_changed_for_parts_and_for_the_head_alone(project: Project) -> None:
    Site(project).deploy(1)
    whole = ask(project)
    tag, date = whole.headers["etag"], whole.headers["last-modified"]

    assert ask(project, If_None_Match=tag).status == 304
    assert ask(project, If_None_Match=tag).headers["cache-control"] == "no-cache"
    assert ask(project, If_Modified_Since=date).status == 304
    assert ask(project, If_None_Match='"other"').status == 200
    part = ask(project, Range="bytes=1-2")
    assert (part.status, part.body) == (206, whole.body[1:3])
    assert ask(project, Range="bytes=1-2", If_Range='"other"').status == 200
    assert ask(project, Range="bytes=900-").status == 416
    head = ask(project, method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(whole.body)))
    assert ask(project, method="POST").status == 405
    script = ask(project, "/" + HASHED.format(1))
    again = ask(project, "/" + HASHED.format(1), If_None_Match=script.headers["etag"])
    assert (again.status, again.headers["cache-control"]) == (304, FOR_EVER)


@pytest.mark.parametrize("path", ["", "/shop"])
@pytest.mark.usefixtures("each_nginx")
def test_an_spa_answers_unknown_paths_with_its_page(project: Project, path: str) -> None:
    Site(project, spa=True, path=path or "/").deploy(1)

    for asked in ("/user/7", "/user/7/", "/user/john.doe", "/a.b@c.com", "/v1.2", "/assets/", "/x.php"):
        answer = ask(project, path + asked)
        assert (answer.status, answer.text, answer.headers["cache-control"]) == (200, "<p>1", "no-cache")
    for asked in (HASHED.format(7), ".env"):
        assert ask(project, f"{path}/{asked}", Accept="text/html").status == 404


@pytest.mark.parametrize("path", ["", "/shop"])
@pytest.mark.usefixtures("each_nginx")
def test_what_an_spa_asks_for_and_what_robots_ask_for_is_no_page(project: Project, path: str) -> None:
    Site(project, spa=True, path=path or "/").deploy(1)
    kinds = ("js", "mjs", "css", "js.map", "json", "webmanifest", "wasm", "ico", "png", "JPG", "woff2", "txt", "xml")

    for name in [*(f"none.{kind}" for kind in kinds), "deep/er/none.js", ".well-known/assetlinks", ".well-known/"]:
        answer = ask(project, f"{path}/{name}")
        assert (name, answer.status, answer.headers["cache-control"]) == (name, 404, "no-cache")
        assert ask(project, f"{path}/{name}", Accept="*/*").status == 404
        # Somebody has opened an address of the application, which may show files.
        opened = ask(project, f"{path}/{name}", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert (opened.status, opened.text) == (200, "<p>1")


def test_files_compressed_by_the_build_are_sent_to_those_who_take_them(project: Project) -> None:
    site = Site(project)
    site.make(1)
    packed = gzip.compress(b"/*packed*/")
    (site.folder / "dist/style.css.gz").write_bytes(packed)
    project.zddeploy()

    answer = ask(project, "/style.css", Accept_Encoding="gzip")

    assert (answer.body, answer.headers["content-encoding"]) == (packed, "gzip")
    assert (answer.headers["content-type"], answer.headers["vary"]) == ("text/css; charset=utf-8", "Accept-Encoding")
    assert answer.headers["etag"] != ask(project, "/style.css").headers["etag"]
    assert ask(project, "/style.css").text == "/*1*/"
    assert ask(project, "/style.css").headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["", "/docs"])
@pytest.mark.usefixtures("each_nginx")
def test_files_compressed_with_brotli_need_no_module(project: Project, path: str) -> None:
    site = Site(project, path=path or "/")
    site.make(1)
    script = HASHED.format(1)
    for name in ("index.html", "style.css", script):
        site.write(f"dist/{name}.br", f"packed {name}")
    project.zddeploy()

    for name, asked, kind, cache in (
        ("index.html", "", "text/html", "no-cache"),
        ("style.css", "style.css", "text/css", "no-cache"),
        (script, script, "text/javascript", FOR_EVER),
    ):
        answer = ask(project, f"{path}/{asked}", Accept_Encoding="gzip, br;q=0.9")
        assert (answer.status, answer.text) == (200, f"packed {name}")
        assert (answer.headers["content-encoding"], answer.headers["content-type"]) == ("br", f"{kind}; charset=utf-8")
        assert (answer.headers["cache-control"], answer.headers["vary"]) == (cache, "Accept-Encoding")
        again = ask(project, f"{path}/{asked}", Accept_Encoding="br", If_None_Match=answer.headers["etag"])
        assert again.status == 304
        for other in ("gzip", "br;q=0", "brx", ""):
            assert "packed" not in ask(project, f"{path}/{asked}", Accept_Encoding=other).text
    assert ask(project, f"/zdd-brotli/site{path}/style.css").status == 404


def test_path_and_host_route_it_beside_others_and_the_folder_is_the_paths_root(project: Project) -> None:
    shutil.copytree(APPS, project.folder / "code")
    more = service("docs", static="docs", path="/docs"), service("shop", static="shop", host="shop.test", spa=True)
    app = service("web", path="/api", **PLAIN)
    site = Site(project, *more, app)
    for name in ("docs/index.html", "docs/a/index.html", "docs/404.html", "shop/index.html", "VERSION"):
        site.write(name, name.partition("/")[0] + " 1")
    project.zddeploy()

    assert ask(project, "/").text == "<p>1"
    assert ask(project, "/docs").headers["location"] == "/docs/"
    assert ask(project, "/docs?a=b").headers["location"] == "/docs/?a=b"
    assert ask(project, "/docs/").text == "docs 1"
    assert ask(project, "/docs/a").headers["location"] == "/docs/a/"
    missing = ask(project, "/docs/missing")
    assert (missing.status, missing.text) == (404, "docs 1")
    assert ask(project, "/docsx").status == 404
    assert ask(project, "/any", host="shop.test").text == "shop 1"
    assert ask(project, "/docs/", host="shop.test").text == "docs 1"
    assert "x-release" in ask(project, "/api/").headers
    assert "x-release" in ask(project, "/api").headers


def test_a_slashless_path_of_an_app_that_needs_the_slash_belongs_to_the_site(project: Project) -> None:
    shutil.copytree(APPS, project.folder / "code")
    site = Site(project, service("web", path="/api/", **PLAIN))
    site.write("VERSION", "1")
    site.deploy(1)

    assert ask(project, "/api").status == 404
    project.replace("deploy.toml", 'static = "dist"', 'static = "dist"\nspa = true')
    project.zddeploy()
    assert ask(project, "/api").text == "<p>1"


def test_app_and_site_are_switched_together_and_one_alone_if_named(project: Project) -> None:
    shutil.copytree(APPS, project.folder / "code")
    site = Site(project, service("web", path="/api", **PLAIN))
    site.write("VERSION", "1")
    site.deploy(1)
    site.make(2)
    site.write("VERSION", "2")
    project.zddeploy("deploy", "web")
    eventually(lambda: ask(project, "/api/").headers["x-release"] == "2")
    assert ask(project).text == "<p>1"

    project.zddeploy("deploy", "site")
    assert ask(project).text == "<p>2"
    project.zddeploy("rollback")
    assert ask(project).text == "<p>1"
    releases = {one["name"]: one["release"] for one in project.status()["services"]}
    assert releases["site"] != releases["web"]


def test_the_access_log_names_the_release_that_a_file_came_from(project: Project) -> None:
    shutil.copytree(APPS, project.folder / "code")
    site = Site(project, service("web", path="/api", **PLAIN))
    site.write("VERSION", "1")
    expected = []
    for version in (1, 2):
        site.deploy(version)
        paths = ["/style.css", "/missing", "/.env", f"/{HASHED.format(version)}"]
        expected += [("site", project.status()["release"], None, path) for path in paths]
        for path in paths:
            ask(project, path)

    eventually(lambda: logged(project) == sorted(expected))  # one worker may log before another


def logged(project: Project) -> list[tuple[str, str, str | None, str]]:
    """Return the service, release, instance and path of each request in the log, but for those of deploys, sorted."""
    lines = map(json.loads, project.zddeploy("logs", "--access", "--json").stdout.splitlines())
    asked = (line for line in lines if line["path"] not in ("/", "/api"))
    return sorted((line["service"], line["release"], line["instance"], line["path"]) for line in asked)


def test_scripts_of_earlier_releases_are_there_for_as_long_as_the_releases(project: Project) -> None:
    site = Site(project, release="keep_releases = 2")
    for version in (1, 2, 3):
        site.deploy(version)

    answers = {version: ask(project, "/" + HASHED.format(version)) for version in (1, 2, 3)}

    assert [answers[version].status for version in (1, 2, 3)] == [404, 200, 200]
    assert (answers[2].text, answers[2].headers["cache-control"]) == ("//2", FOR_EVER)
    assert ask(project, "/style.css").text == "/*3*/"
    kept = len(list((project.state / "releases").glob("*.complete")))
    assert kept == 2


def test_a_name_that_a_person_may_have_given_is_asked_for_again(project: Project) -> None:
    site = Site(project)
    for name in ("assets/logo-1024x768.png", "poster-SUMMER24.pdf", "assets/theme-DarkMode.css"):
        site.write(f"dist/{name}", name)
    project.zddeploy()

    for name in ("assets/logo-1024x768.png", "poster-SUMMER24.pdf", "assets/theme-DarkMode.css"):
        assert ask(project, f"/{name}").headers["cache-control"] == "no-cache"


def test_a_download_goes_on_from_the_release_in_which_it_began(project: Project) -> None:
    """Its release may be pruned meanwhile: nginx has the file open. If-Range for the rest gives the new file, whole."""
    site = Site(project, release="keep_releases = 1")
    size = 16 << 20  # more than all buffers on the way
    site.write("dist/large.bin", "1" * size)
    project.zddeploy()
    connection = http.client.HTTPConnection("127.0.0.1", project.port, timeout=60)
    connection.request("GET", "/large.bin")
    answer = connection.getresponse()
    tag, begun = answer.headers["etag"], answer.read(1 << 20)
    first = project.status()["release"]

    for _ in range(2):
        site.make(2)
        site.write("dist/large.bin", "2" * size)
        project.zddeploy()
    rest = answer.read()
    connection.close()

    assert not (project.state / f"releases/{first}").exists()
    assert (begun + rest).count(b"1") == size
    part = ask(project, "/large.bin", Range=f"bytes={1 << 20}-{(1 << 20) + 9}", If_Range=tag)
    assert (part.status, len(part.body), set(part.body)) == (200, size, set(b"2"))


def test_what_serves_is_never_pruned(project: Project) -> None:
    site = Site(project, release="keep_releases = 1")
    site.deploy(1)
    site.deploy(2)
    project.zddeploy("rollback")
    assert ask(project).text == "<p>1"

    for _ in range(2):
        project.zddeploy("recover")
        project.zddeploy("restart")
    assert ask(project).text == "<p>1"


def test_links_out_of_the_folder_are_not_followed_and_others_are(project: Project) -> None:
    site = Site(project, release='shared = ["dist/uploads/"]')
    site.make(1)
    dist = site.folder / "dist"
    (dist / "passwd").symlink_to("/etc/passwd")
    (dist / "outside").symlink_to("..")
    (dist / "latest").symlink_to("style.css")
    said = project.zddeploy().stdout
    (project.state / "shared/dist/uploads/a.txt").write_text("uploaded")

    assert ask(project, "/passwd").status == 404
    assert ask(project, "/outside/deploy.toml").status == 404
    assert ask(project, "/latest").text == "/*1*/"
    assert ask(project, "/uploads/a.txt").text == "uploaded"
    assert "outside, passwd in dist lead out of it, so nginx does not serve that" in said


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("rm -r dist", "site: the release has no folder dist"),
        ("rm dist/index.html", "site: dist of the release has no index.html"),
        ("rm -r dist; ln -s /etc dist", "leads out of the release, to /etc"),
        pytest.param("chmod 600 dist/index.html", "cannot read index.html (mode 600)", marks=ROOT),
        pytest.param("chmod 700 dist", "cannot pass", marks=ROOT),
    ],
)
def test_a_release_that_nginx_could_not_serve_is_refused_before_the_switch(
    project: Project, build: str, said: str
) -> None:
    site = Site(project)
    site.deploy(1)
    project.replace("deploy.toml", "[release]\n", f'[release]\nbuild = ["{build}"]\n')

    refused = site.deploy(2, code=1)

    assert said in refused
    assert "deploy 1 still serves" in refused
    assert "switch" not in refused.partition("undo")[0].replace("switched", "")
    assert ask(project).text == "<p>1"


@ROOT
def test_a_state_folder_that_nginx_cannot_reach_is_told_with_the_command(project: Project) -> None:
    home = project.folder / "home"
    home.mkdir(mode=0o700)
    Site(project)
    project.replace("deploy.toml", f'state_dir = "{project.state}"', f'state_dir = "{home}/S"')

    refused = project.zddeploy(code=2)

    assert f"cannot pass {home} (mode 700)" in refused.stderr
    assert f"x {home}`" in refused.stderr
    os.chmod(home, 0o711)
    project.zddeploy()
    assert ask(project).text == "<p>1"


@pytest.mark.parametrize(
    ("lines", "status"),
    [('auth_basic "staging";\nauth_basic_user_file {}/users;\n', 401), ("deny 127.0.0.1;\n", 403)],
    ids=["password", "rule"],
)
@pytest.mark.parametrize("spa", [False, True], ids=["pages", "spa"])
def test_a_site_that_the_users_lines_keep_from_zdd_too_is_deployed_without_a_proof(
    project: Project, lines: str, status: int, spa: bool
) -> None:
    site = Site(project, nginx='server_include = "server.nginx"\n', spa=spa)
    project.write("users", "shop:{PLAIN}secret\n")
    project.write("server.nginx", lines.format(project.folder))

    said = site.deploy(1)

    what = f"nginx answers by itself ({status} for GET / with Host localhost)"
    assert f"site: not proved that visitors get this version: {what}" in said
    assert ask(project).status == status
    if status == 401:
        assert ask(project, Authorization="Basic c2hvcDpzZWNyZXQ=").text == "<p>1"


def test_a_site_whose_host_is_an_expression_is_not_told_to_set_what_it_has_not(project: Project) -> None:
    site = Site(project, host="~^shop[0-9]*[.]test$")

    said = site.deploy(1) + project.zddeploy("check").stdout

    assert said.count("add a host that is no regular expression") == 3  # the deploy's sentence, the check's, what to do
    assert "health_host" not in said
    assert ask(project, host="shop7.test").text == "<p>1"


def test_maintenance_answers_for_it_and_pause_says_that_nothing_waits(project: Project) -> None:
    Site(project).deploy(1)

    project.zddeploy("maintenance", "on")
    assert ask(project).status == 503
    project.zddeploy("maintenance", "off")
    assert ask(project).text == "<p>1"
    assert "nginx serves the files by itself" in project.zddeploy("pause", code=2).stderr
    assert ask(project).text == "<p>1"


def test_a_dry_run_names_the_folder_and_starts_nothing(project: Project) -> None:
    Site(project)

    planned = project.zddeploy("--dry-run").stdout

    assert "site/static to dist of release" in planned
    assert leftovers(project.folder) == []


@ROOT
def test_a_page_that_a_hook_closes_is_found_before_the_switch(project: Project) -> None:
    site = Site(project)
    site.deploy(1)
    project.replace("deploy.toml", "[zdd]\n", '[zdd]\nbefore_start = "chmod 600 dist/index.html"\n')

    assert "cannot read index.html (mode 600)" in site.deploy(2, code=1)
    assert ask(project).text == "<p>1"


def test_a_site_beside_workers_and_without_them(project: Project) -> None:
    shutil.copytree(APPS, project.folder / "code")
    site = Site(project, service("jobs", **WORKER))
    site.write("VERSION", "1")
    site.deploy(1)
    assert list(project.serving("jobs")) == ["jobs-1"]

    text = (project.folder / "deploy.toml").read_text()
    project.write("deploy.toml", text.partition("[service.jobs]")[0])
    site.deploy(2)

    assert ask(project).text == "<p>2"
    assert [one["name"] for one in project.status()["services"]] == ["site"]
