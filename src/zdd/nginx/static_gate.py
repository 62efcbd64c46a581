"""The gate for static services: before the commit, nginx must answer with the bytes of the new release's index.html."""

from __future__ import annotations

import os
from collections.abc import Sequence

from zdd.events import Unproved
from zdd.host import files
from zdd.instances.health.request import Answer, NotHttp
from zdd.nginx import client
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import HEADER
from zdd.nginx.gate import Gate, asked, unproved
from zdd.nginx.unreachable import Unreachable
from zdd.routing.manifest import Manifest, static_slot

_INDEX = "index.html"
_BY_RULE = "access forbidden by rule"  # what nginx logs of `deny`; of a file that it may not read it says why
_SEARCHED_LINES = 100  # of nginx's log


def prove(gate: Gate, target: Manifest, visits: Sequence[Visit], digest: str | None) -> list[Unproved]:
    """
    Send the requests of static services after the switch; return what could not be proved.

    `digest` is the hash of the text that nginx should run. Raises Unreachable if an answer is not the new release's.
    """
    sites = [visit for visit in visits if visit.service in target.static]
    return [verdict for visit in sites if (verdict := _verdict(gate, target, visit, digest))]


def _verdict(gate: Gate, target: Manifest, visit: Visit, digest: str | None) -> Unproved | None:
    since = files.size(gate.door.log)
    try:
        answer, body = client.fetch(visit, gate.clock, more=client.asking(gate.door.mark), interrupt=gate.interrupt)
    except (OSError, NotHttp) as error:
        what = f"{visit.service}: nginx gives no answer to {asked(visit)}: {error or 'it takes too long'}"
        raise Unreachable(what, gate.logged(since)) from error
    if answer.status == 503 and os.path.exists(gate.paths.maintenance):
        return unproved(visit.service, "maintenance", f"{answer.status} for {asked(visit)}")
    if 300 <= answer.status < 400:
        return unproved(visit.service, "redirect", f"{answer.status} for {asked(visit)}")
    seen = gate.door.mark.read(answer.all(HEADER))
    if seen and seen.digest == digest and not seen.address and _is_kept_out(gate, answer.status, since):
        return unproved(visit.service, "nginx", f"{answer.status} for {asked(visit)}")
    path = f"{gate.paths.leads(target.slots()[static_slot(visit.service)])}/{_INDEX}"
    if problem := _problem(answer, body, path):
        hint = f"nginx serves {os.path.dirname(path)}: may its workers read it? Does another service take this path?"
        raise Unreachable(f"{visit.service}: {asked(visit)} {problem}", gate.logged(since), hint=hint)
    if seen is None or seen.digest != digest:
        return unproved(visit.service, "no-mark", asked(visit))
    return None


def _is_kept_out(gate: Gate, status: int, since: int) -> bool:
    """Return whether the user's lines keep zdd out, by a password or by its address, as they do some visitors."""
    logged = files.tail(gate.door.log, _SEARCHED_LINES, since) if status == 403 else []
    return status == 401 or any(_BY_RULE in line for line in logged)


def _problem(answer: Answer, body: bytes, path: str) -> str | None:
    """Return what is wrong with an answer that should be this file, None if it is."""
    if answer.status != 200:
        return f"is answered {answer.status}"
    with open(path, "rb") as file:
        return None if file.read() == body else f"is answered with something else than {_INDEX} of this release"
