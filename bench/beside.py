"""The report's part about the peers."""

from __future__ import annotations

from typing import Any

from bench import calibrate, figures, losing, peers
from bench.figures import MAIN, Deploys
from bench.words import about, count, megabytes, milliseconds, table


def deploys(results: dict[str, Any], picture: str) -> list[str]:
    """The peers."""
    found = Deploys(results)
    lines = ["## The same app, the same load", "", method(found), "", picture, ""]
    lines += table(MAIN_HEAD, [main_row(found, name) for name in found.names])
    lines += [f"\n{told}" for told in skipped(found)]
    lines += [f"\nFailed as a whole: {peers.load(name).title}: {why}." for name, why in found.errors().items()]
    lines += ["", "### Where zdd loses, and where it wins", "", *losing.of_deploys(found)]
    for scenario in found.scenarios:
        lines += ["", f"### {scenario.capitalize()}", "", load_line(found, scenario), ""]
        lines += table(LOAD_HEAD, [load_row(found, name, scenario) for name in found.names])
    lines += ["", "### How each was driven", "", "As these say; bench/peers/ has a file for each.", ""]
    return lines + [f"- {driver.title}: {driver.docs}" for driver in map(peers.load, found.names)]


def method(found: Deploys) -> str:
    """What was measured."""
    capacity = " and ".join(f"{rate:.0f} ({language})" for language, rate in found.settings["capacity"].items())
    text = METHOD.format(runs=len(found.runs), capacity=capacity, every=1000 / found.rate("quiet"))
    return "\n".join([text, *calibrate.told(found)])


METHOD = """\
{runs} runs, the peers taking turns. Figures are medians over the runs, ratios medians of the ratios within each run.

All Python peers run the same app by gunicorn (one process, 16 threads), the Node peers its equivalent: half a second of
CPU to start, a millisecond for a request. Behind nginx it answers at most {capacity}
requests a second here, wrk asking. Half of the requests are GET, half are POST with 2 kB. The load generator sends each
request when it is due, repeats none, and counts its time from then. Access logs are off, but for kamal-proxy's, which
cannot be. Scripts by hand run inside the benchmark and pay for no program of their own; zddeploy, pm2, systemctl and
kamal-proxy do.

Of a load of 32 connections, 40 % of what the app can do: *failed*, of all requests in all runs; *closed*, the client
connections that a deploy closed; *p99*, from its start to the last answer of the old version or the first of the new,
whichever is later, and before it; *delayed*, how many requests of one deploy waited longer in that time than the p99
before it, less the hundredth that does anyway (the same slow requests make a lower p99 of a longer deploy);
*longest*, the longest that a request waited in that time, those that failed at once left out.

Of a deploy with one client that asks every {every:.0f} ms, all without what the app's own start takes when nothing else
runs: *new*, the first answer of the new version; *old*, the last of the old; *returned*, the command; *CPU*, of all
processes. *Switch*: from the new instance being ready until clients are led to it, where that can be seen. *Memory*:
the proportional set size of all that is not the app, afterwards."""


MAIN_HEAD = (
    "| way | failed | closed | new | old | returned | CPU | p99 deploying (before) | delayed | longest "
    "| switch | memory |"
)


def main_row(found: Deploys, name: str) -> list[str]:
    """A peer's line in the first table: what a deploy breaks first, then how late it is, then what it costs."""
    failed, requests = found.failed(name, MAIN)
    during, steady = (milliseconds(found.median(name, figures.under(MAIN, when, "p99"))) for when in WINDOWS)
    return [
        peers.load(name).title,
        f"{failed.total()} of {requests:,}",
        count(found.median(name, figures.per_deploy(MAIN, "reconnects"))),
        *(milliseconds(found.median(name, figures.less_boot("quiet", key, "seconds"))) for key in TIMES),
        milliseconds(found.median(name, figures.less_boot("quiet", "cpu", "cpu"))),
        f"{during} ({steady})",
        about(found.median(name, figures.under(MAIN, "delayed"))),
        milliseconds(found.median(name, figures.under(MAIN, "during", "p100"))),
        milliseconds(found.median(name, figures.switched("quiet"))),
        megabytes(found.median(name, figures.memory)),
    ]


SUMMARY_HEAD = (
    "| way | failed requests | connections closed, of 32 | new version answers | last old answer | command returns "
    "| CPU | p99 deploying (before) |"
)


def summary(found: Deploys) -> list[str]:
    """The first table in short, which ways were not measured, and what zdd loses at."""
    rows = [main_row(found, name)[:8] for name in found.names]
    note = "Times and CPU are without what the app's own start takes."
    return [*table(SUMMARY_HEAD, rows), "", note, *skipped(found), "", losing.of_deploys(found)[0]]


def skipped(found: Deploys) -> list[str]:
    """A sentence for each way that could not run here."""
    return [f"Skipped: {peers.load(name).title}: {why}." for name, why in found.settings["skipped"].items()]


WINDOWS = ("during", "steady")
TIMES = ("first_new", "last_old", "returned")
LOAD_HEAD = (
    "| way | failed | closed | new | old | returned | p50 deploying | p99 | p99.9 | longest | p50 before | p99 | p99.9 "
    "| times p99 | switch |"
)


def load_line(found: Deploys, scenario: str) -> str:
    """Say what the load is."""
    one = next(one for one in found.settings["scenarios"] if one["name"] == scenario)
    share = f"{one['share']:.0%} of what the app can do" if "share" in one else f"{one['rate']} requests a second"
    return f"{one['connections']:,} connections, {share}. Times are milliseconds from the start of the deploy."


def load_row(found: Deploys, name: str, scenario: str) -> list[str]:
    """A peer's line under that load."""
    failed, _ = found.failed(name, scenario)
    waits = [("during", p) for p in (*PERCENTILES, "p100")] + [("steady", p) for p in PERCENTILES]
    steady, during = (figures.under(scenario, when, "p99") for when in ("steady", "during"))
    ratio = found.ratio(name, during, below=steady)
    return [
        peers.load(name).title,
        ", ".join(f"{number} {outcome}" for outcome, number in failed.items()) or "0",
        count(found.median(name, figures.per_deploy(scenario, "reconnects"))),
        *(milliseconds(found.median(name, figures.of_deploy(scenario, by_key(key))), "") for key in TIMES),
        *(milliseconds(found.median(name, figures.under(scenario, *wait)), "") for wait in waits),
        f"{ratio:.1f}" if ratio else "",
        milliseconds(found.median(name, figures.switched(scenario)), ""),
    ]


PERCENTILES = ("p50", "p99", "p99.9")


def by_key(key: str) -> Any:
    """Return what finds this figure of a deploy."""
    return lambda one: one[key]
