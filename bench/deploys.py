"""The peers, each in its turn, run after run: the same app, the same load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from bench import calibrate, path, peers
from bench.figures import MAIN
from bench.stage import Scenario

BELOW, ABOVE = 0.4, 1.2  # of what the app can do at most
PATIENCE = 300.0  # seconds that a peer may take for all its scenarios

Settings = dict[str, Any]


def prepare(names: list[str], quick: bool, loads: list[dict[str, Any]]) -> Settings:
    """Return what a run consists of: who can take part, and how much the app can do, which the loads are shares of."""
    skipped = {name: why for name in names if (why := peers.load(name).missing())}
    taking_part = [name for name in names if name not in skipped]
    languages = {peers.load(name).language for name in taking_part}
    capacity = {language: most(peers.BASELINES[language], 2 if quick else 4) for language in sorted(languages)}
    settings: Settings = {"peers": taking_part, "skipped": skipped, "capacity": capacity, "scenarios": loads}
    asked = playing(settings, sorted(languages)[-1])
    settings |= {"tail": path.tail(), "generator": calibrate.generator(asked)}
    return settings | {"nothing": run_stage({"peer": "nothing", "scenarios": asked[:1]})}


def playing(settings: Settings, language: str) -> list[Scenario]:
    """Return the loads of peers in this language."""
    capacity = settings["capacity"][language]
    return [
        Scenario(one["name"], one["connections"], one.get("rate") or one["share"] * capacity, one.get("deploys", 1))
        for one in settings["scenarios"]
    ]


def most(name: str, seconds: int) -> float:
    """Return how many requests a second the app can answer, deployed so."""
    found = run_stage({"peer": name, "wrk": seconds})
    if "error" in found:
        sys.exit(f"{peers.load(name).title} did not serve, so nothing can be compared with it: {found['error']}")
    return float(found["rate"])


def scenarios(quick: bool) -> list[dict[str, Any]]:
    """Return the loads; `share` is that of what the app can do at most."""
    found: list[dict[str, Any]] = [
        {"name": "quiet", "connections": 1, "rate": 50},
        {"name": MAIN, "connections": 32, "share": BELOW},
    ]
    if not quick:
        found.append({"name": "1,000 connections", "connections": 1000, "share": BELOW})
        found.append({"name": "saturated", "connections": 32, "share": ABOVE})
    return found


def switching() -> list[dict[str, Any]]:
    """Return the load under which ways to switch are compared."""
    return [{"name": MAIN, "connections": 32, "share": BELOW, "deploys": 2}]


def run(settings: Settings, number: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return what each peer did; who begins is another one in each run."""
    names = settings["peers"]
    first = number % len(names)
    found = {}
    for name in names[first:] + names[:first]:
        tell(f"run {number + 1}: {peers.load(name).title}")
        loads = playing(settings, peers.load(name).language)
        found[name] = run_stage({"peer": name, "scenarios": loads})
    return {name: found[name] for name in names}


def run_stage(what: dict[str, Any]) -> dict[str, Any]:
    """Return what a stage prints, or why it failed: one peer's failure must not end the others' runs."""
    command = [sys.executable, "-m", "bench.stage", json.dumps(what)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stage:
        try:
            printed, said = stage.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            printed, said = "", f"not done after {PATIENCE:g} s"
        finally:
            stage.terminate()  # if it still runs: it takes down what it began
    if not printed:
        return {"error": (said.strip().splitlines() or [f"exit code {stage.returncode}"])[-1]}
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result
