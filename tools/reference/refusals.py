"""The page about refused releases, made of those that the tests deploy; and about what nginx has to do with it."""

from typing import NamedTuple

from tests.system.test_broken_releases import RELEASES

HEAD = """\
# When a release is refused

What a broken release looks like from outside: each of these is deployed by a test, under load, with not one request
lost. The old version goes on serving, nothing of the new one is left but its log, and the screen says why. Times and
names are those of the test: `start_timeout` is 1.5 s there, and `/health` the `health_path`.

| The new version | is refused | and the screen says |
| --- | --- | --- |
"""


class Words(NamedTuple):
    """What the screen says, with … for what varies; and what to do then."""

    said: str
    cure: str


BEFOREHAND = """
## Because of nginx, before anything is touched

The exit code is 2, and what serves goes on serving.

| the screen says | what to do |
| --- | --- |
"""
REFUSED = (
    Words(
        "no nginx runs that would read …: visitors get nothing",
        "Start nginx. `zddeploy up` starts the apps all the same, and ends with exit code 5.",
    ),
    Words(
        "nginx (process …) does not see …: it has a mount namespace of its own",
        "`PrivateTmp=no` in its unit, or mount the folder into its container; or set `runtime_dir` in `[zdd]` to a "
        "folder that nginx sees.",
    ),
    Words(
        "nginx's program is being replaced: processes … and … both take requests",
        "Finish the replacement (`kill -QUIT` the old one) or go back, as the hint says. A deploy without a "
        "reload is not refused.",
    ),
    Words(
        "nginx's workers …, whose master is gone, take requests beside process …",
        "Their master was killed, and they serve on with the text of then: `kill -QUIT` them. zdd does so by itself "
        "with those of its own nginx.",
    ),
    Words(
        "two nginx have the same sockets: processes … and … both take requests",
        "Both got them from systemd or listen with `reuseport`, and only one would be reloaded: end the one that is "
        "not meant.",
    ),
    Words(
        "… leads to …, which serves by it",
        "The include belongs to another project: set `include` to another file, or take that project down.",
    ),
    Words(
        "port … is taken by the nginx (process …) of …",
        "Another project of zdd has the port: change `listen`; or give the service a `host` in that project; or put "
        "both behind one nginx by `include`.",
    ),
)

AFTERWARDS = """
## Because of nginx, in the deploy

The exit code is 1: the deploy is undone, and the old version serves.
[The gate](../how-it-works.md#the-gate) says what is asked.

| the screen says | what to do |
| --- | --- |
"""
UNDONE = (
    Words(
        "…: healthy, but nginx answers … for …",
        "nginx cannot reach the instance, and its error log says why: its workers' user, its routes, its network "
        "namespace.",
    ),
    Words(
        "…: healthy, but nginx does not answer within … for …",
        "The app answers a health request and not this one, or nginx waits for something else. `health_path` says "
        "what to ask for.",
    ),
    Words(
        "…: … is answered by service …",
        "The hosts and paths of two services overlap: look at `host` and `path`, or at your server blocks.",
    ),
    Words(
        "…: … is answered by …, which is none of this version",
        "A server block leads to another address than the upstream that zdd writes: use that upstream.",
    ),
    Words(
        "…: the new version answers … for GET … with Host …, where the one before answered …",
        "The app may refuse this host (Django's `ALLOWED_HOSTS`): set `health_host`. If the answer is meant, set "
        "`health_path`, perhaps with `health_status`.",
    ),
    Words(
        "nginx did not take the new …: …",
        "The reason is nginx's own, as in its error log. Correct what it names, then deploy again.",
    ),
    Words(
        "nothing shows which text nginx runs after …: its master cannot be seen",
        "Set `pid_file` in `[nginx]` to the pid file of the nginx that includes the file.",
    ),
)

STATUS = """
## What status says of nginx

Each is a problem, with exit code 1. What serves goes on, as far as nginx lets it.

| status says | what to do |
| --- | --- |
"""
PROBLEMS = (
    Words(
        "nginx's workers run as …, who cannot connect to …",
        "nginx was started with another `user`: every request is answered 502. `zddeploy up` grants access again.",
    ),
    Words(
        "… is not what zdd has written: somebody else has changed it",
        "`zddeploy up` puts it back. What you want in the text belongs in your own files.",
    ),
    Words("no nginx runs that would read …", "Start nginx; if it runs, set `pid_file`."),
    Words("no nginx includes …: … runs without it", "`include` the file inside `http { }`, then reload nginx."),
    Words("nginx (process …, …) does not include …", "`pid_file` names another nginx: correct it."),
    Words("nginx does not run: `zddeploy` starts it", "zdd's own nginx: `zddeploy up` starts it."),
    Words(
        "nginx's master process has died; its workers serve on",
        "Nothing at once: the next deploy that reloads starts a new nginx and replaces them.",
    ),
)

TABLES = ((BEFOREHAND, REFUSED), (AFTERWARDS, UNDONE), (STATUS, PROBLEMS))


def page() -> str:
    """Return the page."""
    rows = []
    for broken in RELEASES:
        words = "<br>".join(f"`` {word.replace('ELSEWHERE', '8000').strip()} ``" for word in broken.words)
        rows.append(f"| {broken.what} | {broken.when} | {words} |\n")
    tables = (head + "".join(f"| `` {row.said} `` | {row.cure} |\n" for row in table) for head, table in TABLES)
    return HEAD + "".join(rows) + "".join(tables)
