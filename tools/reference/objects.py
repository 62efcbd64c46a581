"""The page of what --json prints: the fields of each object, as the source declares them, with words for each."""

import types
import typing

import msgspec
from msgspec import UNSET

from zdd import events
from zdd.acme.attempts import Attempt
from zdd.events import REASONS, Event
from zdd.history import Entry
from zdd.nginx.access_log import Request
from zdd.operate.certificates import CertificateStatus
from zdd.operate.status import InstanceStatus, ServiceStatus, Status
from zdd.operate.under_way import UnderWay

HEAD = """\
# JSON

With `--json` a command prints one object a line. Fields may be added; those that are here stay. Times are seconds since
1970, lengths of time seconds, sizes bytes.

## A deploy, and everything else that changes what serves

Events, as they happen; each has `event`, which says what kind it is. A program that does not know an event passes it
over.

| event | fields | tells |
| --- | --- | --- |
"""

EVENTS: dict[type[Event], str] = {
    events.Begin: "the deploy has a number; `text` says where a rollback goes back to",
    events.Notice: "something a person should know",
    events.Doing: "a step begins",
    events.Step: "a step is over; after the step `publish` the new version serves",
    events.Healthy: "a new instance is healthy, so long after its start",
    events.Proxy: "nginx was started, or reloaded and the reload verified",
    events.Drain: "the old instance `subject` drains, or is gone; `handed` connections that its app had not accepted "
    "went to the new version; `killed_after` so many seconds it was killed, since it had not stopped",
    events.Command: "a command is run (with `-v`)",
    events.Unproved: "the deploy could not prove that visitors get the new version of this service, and goes on; "
    "`reason` is [one of a closed list](#why-something-is-not-proved)",
    events.Plan: "a step that would be done (`--dry-run`)",
    events.Failed: "the change has failed, and is undone from now on: why, the last output of the program that failed, "
    "the file with all of it, and what to do; the result follows",
    events.Result: "the last one: `done`, `undone` or `failed`, why, which deploy serves, and the exit code; "
    "`unproved` has `service` and `reason` of each such event, `killed` the instances that did not stop in time",
}

UNPROVED = """
## Why something is not proved

`reason` of the event `unproved`, and in `unproved` of the result. This list is complete;
[the gate](../how-it-works.md#the-gate) says what is proved. The exit code is 0: most of these mean that zdd could not
see it, not that something is wrong.

| reason | tells | what to do |
| --- | --- | --- |
"""

CURES = {
    "no-request": "set `health_host`, or add a server block that leads to the service; for a static site add a host "
    "that is no regular expression; `zddeploy check` has the reason",
    "no-answer": "look whether nginx listens there",
    "closed": "set `health_host` to a host that nginx does not turn away (`return 444`)",
    "no-mark": "a block with an `add_header` of its own needs "
    "[one line](../guides/system-nginx.md#what-a-deploy-proves), a template `{zdd.mark}`; `zddeploy check` shows it",
    "redirect": "set `health_host` and `health_path` to what is not redirected",
    "nginx": "set `health_path` to what nginx passes to the app: not a file, a login or a `return`; "
    "of a static site: lines of yours ask for a password, or shut this machine out",
    "maintenance": "nothing; after `zddeploy maintenance off` the next deploy proves it",
    "certificate": "the text says why, and so does `zddeploy certificates`: "
    "[what to do](../guides/certificates.md#when-it-fails)",
    "pool": "bound the upstream's pool, as `zddeploy check` says",
}

TITLES: dict[type, tuple[str, str]] = {
    Status: ("status --json", "One object."),
    UnderWay: ("The command that runs, in status", ""),
    ServiceStatus: ("A service of status", ""),
    InstanceStatus: ("An instance of status", ""),
    CertificateStatus: (
        "A certificate of status and of certificates --json",
        "`zddeploy certificates --json` prints one object: `project`, and `certificates` with these.",
    ),
    Attempt: ("The last try for a certificate", ""),
    Entry: ("history --json", "One object a deploy, the newest first. What has no value is left out."),
    Request: (
        "logs --access --json",
        "One object a request that nginx has logged. [The access log](../guides/access-log.md) says which version is "
        "meant.",
    ),
}

MEANINGS: dict[type, dict[str, str]] = {
    Status: {
        "project": "its name",
        "conf": "the configuration file",
        "deploy": "number of the deploy that serves",
        "release": "the release that serves, where there is a `[release]` section",
        "state": "`nothing`: never deployed; `down`: off, or nothing serves; `degraded`: something is wrong, see "
        "`problems`; `interrupted`: a deploy was, and the next command finishes or undoes it",
        "running": "the command that changes the project now",
        "paused": "the paused instances, each with the seconds for which its requests wait at most",
        "maintenance": "whether everything is answered 503",
        "nginx": "`pid`, `version` and `managed`: whether zdd runs it",
        "services": "see below",
        "problems": "what is wrong, in sentences; the exit code is 1 when there are any",
        "notes": "what is worth knowing, but not wrong",
        "certificates": "those of zdd's own nginx; see below",
    },
    UnderWay: {
        "deploy": "the number of its deploy, once it has one",
        "action": "the command: `deploy`, `rollback`, `pause` and so on",
        "who": "the user",
        "pid": "its process",
        "since": "when it began",
        "step": "the step that it is at",
    },
    ServiceStatus: {
        "name": "its name",
        "release": "the release that serves",
        "instances": "those that run or should run, old ones included; see below",
    },
    InstanceStatus: {
        "id": "its name, such as `web-12`",
        "state": "`starting`, `serving`, `warm`, `draining`, `stopping`, `failed`; `down`: connections are "
        "refused, since its app has not answered for `hold_max`; `resting`: stopped by a stop-first deploy, it starts "
        "again if the new version fails; `dead`: it does not run; "
        "`unkept`: it serves, but nobody would start it again",
        "pid": "process number of the app",
        "since": "when it was started",
        "connections": "open connections to it",
        "restarts": "how often it was started again after a crash",
        "memory_bytes": "resident memory of the app and all processes below it",
        "cpu_seconds": "CPU time that these have used",
        "release": "the release it runs",
        "exit": "how the app last ended",
    },
    CertificateStatus: {
        "hosts": "the hosts that it is there for",
        "names": "the names in it",
        "issuer": "who has issued it",
        "ends": "when it expires",
        "days_left": "how many whole days are left, below 0 once it has expired",
        "placeholder": "whether it stands there until the first one has been issued",
        "problem": "why browsers refuse it",
        "warning": "why browsers will soon refuse it, or what else a person should know",
        "failed": "the last try to get a new one, if that has failed; see below",
    },
    Attempt: {
        "at": "when",
        "tries": "how many have failed, one after the other; those that asked no authority are counted by themselves",
        "next": "when the authority is asked again",
        "kind": "`name`: it does not lead here; `refused`: the authority could not verify it; `limited`: the authority "
        "was asked too often; `authority`: it is away, or broken; `trust`: its own certificate is not trusted; "
        "`clock`; `account`; `disk`; `busy`: another certbot runs; `missing`: there is no certbot that works; "
        "`certbot`: it fails otherwise; `nginx`: it does not take the new one",
        "cause": "why, in a sentence",
        "hint": "what to do",
    },
    Entry: {
        "deploy": "its number",
        "action": "`deploy`, `rollback`, `restart` or `up`",
        "outcome": "`done`, `failed` or `undone`",
        "started": "when it began",
        "seconds": "how long it took",
        "who": "the user",
        "services": "the services that it moved",
        "steps": "`name` and `seconds` of each",
        "release": "the release that it brought",
        "label": "what `--label` said",
        "cause": "why it failed",
        "output": "the last lines that the program which failed has printed: a build, a hook, the new version",
        "replaced": "the deploy that served before",
        "origin": "of a rollback, a restart or an up: the deploy whose version it started again",
        "killed": "what did not stop in time since it began, and was killed: `instance`, `service`, `at`, `is_whole` "
        "(else only processes that the app had left), `limit` (which time was over) and `after` (how long that was)",
    },
    Request: {
        "time": "when it was answered",
        "service": "the service that it went to",
        "instance": "the instance that has answered; `null`: nginx itself; `unknown`: zdd cannot tell",
        "release": "its release, or that of a static service's file; `null` without `[release]`",
        "status": "the status that the client got; 499: the client has left",
        "method": "GET, POST and so on",
        "host": "the host that was asked for",
        "path": "the path, without the query",
        "seconds": "from the first byte of the request to the last one of the answer",
        "bytes": "of the answer, without its headers",
        "tried": "the slots, or other addresses, that nginx has connected to, in order",
        "id": "what the app got as `X-Request-ID`",
        "connection": "nginx's number of the client's connection",
    },
}


def page() -> str:
    """Return it. Raises KeyError for a field that has no words here."""
    rows = "".join(
        f"| `{event.__struct_config__.tag}` | {_fields(event)} | {words} |\n" for event, words in EVENTS.items()
    )
    reasons = "".join(f"| `{reason}` | {words} | {CURES[reason]} |\n" for reason, words in REASONS.items())
    return HEAD + rows + UNPROVED + reasons + "".join(_section(one) for one in TITLES)


def _tag(event: type[Event]) -> str:
    return str(event.__struct_config__.tag)


def _fields(event: type[Event]) -> str:
    fields = msgspec.structs.fields(event)
    optional = ", ".join(field.name for field in fields if field.default is UNSET)
    always = ", ".join(field.name for field in fields if field.default is not UNSET)
    return always + (f"; perhaps {optional}" if optional else "")


def _section(struct: type[msgspec.Struct]) -> str:
    title, words = TITLES[struct]
    types_of = typing.get_type_hints(struct)
    rows = [f"| `{name}` | {_type(types_of[name])} | {MEANINGS[struct][name]} |\n" for name in struct.__struct_fields__]
    text = f"{words}\n\n" if words else ""
    return f"\n## {title}\n\n{text}| field | type | meaning |\n| --- | --- | --- |\n" + "".join(rows)


def _type(hint: object) -> str:
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return " or ".join("null" if one is types.NoneType else _type(one) for one in arguments)
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if typing.get_origin(hint) is list:
        return f"list of {_type(arguments[0])}s"
    return {str: "string", bool: "boolean", int: "integer", float: "number"}.get(hint, "object")  # type: ignore[call-overload,no-any-return]
