"""The page of all keys, made of the schema."""

import json
import re

from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields

from zdd.conf.kinds import Kind
from zdd.conf.nginx_section import NginxSection
from zdd.conf.schema import NAME_RULE, ReleaseSection, ZddSection, default, keys
from zdd.conf.services import ClassicService, RunService, StaticService

HEAD = f"""\
# Configuration

A project is one file: `deploy.toml`, or `deploy.conf` (INI). If both are in a folder, name one with `-c`. Every key is
checked before anything is touched; a mistake is reported with file, section, key, value and what is allowed.

- **Paths** are relative to the folder of the file. `~` is not replaced, as it depends on who deploys.
- **Durations** are `500ms`, `30s`, `5m`, `1h`, or a number of seconds. **Sizes** are `512K`, `64M`, `1G`.
- **Names** of projects and services: {NAME_RULE}.
- **Host names** are `shop.test` without scheme, port and path, in punycode where you write other letters; or what nginx
  knows for many: `*.shop.test`, `.shop.test` (with `shop.test` itself), `www.shop.*`, `~` and a regular expression. A
  `health_host` is one name and may have a port.
- **Routes**: `path = "/api"` is `/api` and all below it, `"/api/"` is only what is below; then `/api` belongs to the
  next shorter route. Write the path decoded and without `*`, `?`, `#`: nginx compares beginnings.
- **Shell commands** are run by `/bin/sh -ec`. A *command* is split into words as a shell would, but no shell runs it.
- **Lists**: where a list is allowed, so is a single item.
- **INI** knows the same keys: sections are `[service:web]`, lists have one item a line, maps have lines of `KEY=VALUE`.

`zddeploy check` reads the file and looks at all that it names; `zddeploy config` prints what zdd understood, and with
`--schema` a JSON Schema, with which editors complete keys and tell what is wrong.
"""

PLACEHOLDERS = """\
In `run` and in values of `env` these are replaced:

| word | is |
| --- | --- |
| `{fd}` | the number of the inherited socket, 3 (`socket = "fd"`) |
| `{socket}` | the path that the app must bind (`socket = "unix"`) |
| `{port}` | the port that the app must listen on, at 127.0.0.1 (`socket = "tcp"`); also in `PORT` |
| `{release}` | the name of the release |
| `{instance}` | the name of the instance, such as `web-12` |

[gRPC](../guides/grpc.md) and [sticky sessions](../guides/sticky.md) have pages of their own.

The app starts with `PATH`, `LANG`, `TZ` and `VIRTUAL_ENV` of the user who deploys, `HOME` and `USER` of its user, then
`env_file`, then `env`, then `ZDD_PROJECT`, `ZDD_SERVICE`, `ZDD_INSTANCE`, `ZDD_RELEASE`, `ZDD_RELEASE_PATH` and
`ZDD_DEPLOY`; with nothing else. With `socket = "fd"` it also finds `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`, as
systemd would give them, `ZDD_SOCKET_INODE` and `ZDD_SOCKET_CLAIM`; a Node app also `NODE_OPTIONS`, which load what
`runtime` describes. [env_file](env-file.md) is the page on what such a file may say.
"""

HOOKS = """\
The hooks see `ZDD_PROJECT`, `ZDD_SERVICE`, `ZDD_RELEASE`, `ZDD_RELEASE_PATH`, `ZDD_PREVIOUS_RELEASE`, `ZDD_DEPLOY`,
`ZDD_ACTION`, `ZDD_OUTCOME` and `ZDD_CAUSE`, as far as there is such a thing. `before_start` of a service runs after
that of the project. They run in the folder of the new release, which is `ZDD_RELEASE_PATH`. When the build has
failed there is none: then `on_failure` runs in the folder of the release that serves, or beside the configuration when
nothing serves, and `ZDD_RELEASE_PATH` is empty.
"""

NGINX = """\
By default zdd runs an nginx of its own. With `template` it is an nginx of your own text, with `include` one that
somebody else runs. A template may say `{nginx_pid_filename}`, the absolute path of `pid_file`; `{NAME}`, the port of a
classic or tcp service; and `{NAME.servers}`, the `server` lines of an upstream for any service, with what keeps pooled
connections short. `{zdd.mark}`, inside `http { }`, lets nginx show which version has answered, so that a deploy can
[prove](../how-it-works.md#the-gate) it, and brings the keys of [`sticky`](../guides/sticky.md). In comments they are
left alone.

Who is believed about a client, what passes, and lines of your own: [behind a proxy](../guides/behind-a-proxy.md).

With `include`, `pid_file` says [which nginx](../guides/system-nginx.md#which-nginx) reads the file, if several run or
zdd cannot see it. zdd asks that nginx for the `health_host` of a service after the switch; without one it finds a host
and a path [by reading the configuration](../guides/system-nginx.md#what-a-deploy-proves).

With `https` or `certificate` zdd's own nginx speaks [HTTPS](../guides/https.md): it listens on 80 and 443 unless
`listen` and `https_listen` say otherwise.
"""

CLASSIC = """\
With `start` instead of `run`. Such a file is read as zdd has always read it: keys that it does not know are passed over
with one warning, `deploy.conf` may have `[DEFAULT]` and interpolation. `start` and `stop` have the umask of the user
who deploys; all else that zdd starts and makes has 022.
"""

STATIC = """\
With `static` instead of `run`: a folder that has an `index.html`, in [each release](#release). See
[static sites](../guides/static-sites.md) for what nginx answers, and for how long browsers keep it.
"""

RELEASE = """\
- **A git repository** (a URL, a bundle, a folder with `.git` or a bare one) is built from one commit: the one that
  its `HEAD` is at, or `rev`, or `--rev`. What is not committed is not deployed. A **folder of a repository** is built
  from that folder of the commit; if git ignores it, it is a folder like any other.
- **Submodules** are fetched at the commits that the commit names, and so are files in **Git LFS**: it must be
  installed.
- **Filters of git** (`filter=NAME` in `.gitattributes`, such as git-crypt) run when the git of who deploys has them
  (`git config --global filter.NAME.smudge`), and one that fails fails the build. Files that are still encrypted are
  refused; of others whose filter is missing a deploy says that they are as the repository has them.
- **Any other folder** is copied as it is. A Python environment in it runs the packages of the original, so a release
  whose service would start from it is refused: have `build` make one, and leave it out of the source.
- **A commit is built once.** `zddeploy deploy --rebuild` builds it again in a new folder, for example after an
  upgrade of the system that has taken away the Python of its environment.
- **`keep_releases`** counts releases that have served, the latest deploys first. One that was refused goes with the
  next deploy that succeeds.
- **`assets`**: nginx serves these folders itself, a folder at the last part of its name (`public/assets` at
  `/assets/`), or at the URL path that is written with it: `assets = { "/_next/static" = ".next/static" }`, in INI a
  line `/_next/static = .next/static`. Files of earlier releases stay there. For all that is in none of them, nginx asks
  the app at that path, and so it does for names that begin with a dot, such as `.env` or `.git`, except `.well-known`.
  Below a static service it answers 404: there, such a folder hides the one of the same path in the site, and the build
  says so.
- **`shared`** may hold links of yours, for example to another disk: one that leads nowhere is refused.
"""

SECTIONS: tuple[tuple[str, type[Struct], str], ...] = (
    ("[zdd]", ZddSection, HOOKS),
    ("[nginx]", NginxSection, NGINX),
    ("[service.NAME]", RunService, PLACEHOLDERS),
    ("[service.NAME], a static site", StaticService, STATIC),
    ("[service.NAME], the classic contract", ClassicService, CLASSIC),
    ("[release]", ReleaseSection, RELEASE),
)


def page() -> str:
    """Return it."""
    return "\n".join([HEAD, *(_section(title, section, more) for title, section, more in SECTIONS)])


def _section(title: str, section: type[Struct], more: str) -> str:
    kinds = keys(section)
    rows = [_row(one, kinds[one.name]) for one in fields(section) if one.name in kinds]
    head = f"## {title}\n\n{(section.__doc__ or '').strip()}\n\n"
    table = "| key | must be | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(rows)
    return head + table + (f"\n{more}" if more else "")


def _row(one: FieldInfo, kind: Kind) -> str:
    meaning = next(meta.description for meta in one.type.__metadata__ if isinstance(meta, Meta) and meta.description)
    allowed = re.sub(r"(a duration.*|a size) such as .*", r"\1", kind.allowed)  # said once, above
    return f"| `{one.name}` | {allowed} | {_default(one, kind)} | {meaning} |\n"


def _default(one: FieldInfo, kind: Kind) -> str:
    value = default(one)
    if one.required:
        return "" if one.name == "cwd" else "required"  # of a classic service: the configuration's folder
    return "" if value is None or value in ([], {}) else f"`{json.dumps(kind.write(value))}`"
