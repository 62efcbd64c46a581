"""
zdd beside its peers, measured on this machine: writes bench/results/*.json, REPORT.md and the plots.

Nothing here passes or fails. For figures worth keeping the machine must have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import deploys, growth, growth_peer, kamal, machine, path, peers, quoted, report

QUIET = 0.5  # load average of a machine that has nothing else to do
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure the parts, then write the report of all there is."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one run, two loads, small numbers: some minutes on two cores")
    add("--runs", type=int, default=4, help="how often each peer has its turn (%(default)s)")
    add("--part", choices=MEASURE, action="append", help="only this part; may be given again")
    add("--peer", choices=peers.NAMES, metavar="PEER", action="append", help=f"only this: {', '.join(peers.NAMES)}")
    add("--add", action="store_true", help="add runs to the results there are, of the same machine and versions")
    add("--report", action="store_true", help="measure nothing, write the report anew")
    add("--out", type=Path, default=None, help="where (bench/results; with --quick build/bench)")
    options = parser.parse_args()
    out = options.out or (Path("build/bench") if options.quick else RESULTS)
    out.mkdir(parents=True, exist_ok=True)
    if not options.report:
        warn()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine, where modules are compiled once
    missing = [] if options.report else [part for part in options.part or MEASURE if not measured(part, options, out)]
    from bench import plots  # matplotlib is needed for nothing else

    report.write(out)
    if out == RESULTS:
        quoted.write(out)
    plots.write(out)
    tell(f"see {out}/REPORT.md")
    if missing:
        sys.exit(f"not measured, so the report has what was there before: {', '.join(missing)}")


def warn() -> None:
    """Tell what makes the figures poorer: a way that cannot run here, a machine that has other things to do."""
    for name in dict.fromkeys((*peers.NAMES, *peers.SWITCHES)):
        if why := peers.load(name).missing():
            tell(f"left out of every table: {peers.load(name).title}: {why}")
    if (load := os.getloadavg()[0]) > QUIET:
        tell(f"the machine is not quiet: its load average is {load:.1f}")


def measured(part: str, options: argparse.Namespace, out: Path) -> bool:
    """Measure a part and tell how long that took; False if it failed, which must not cost the other parts."""
    begun = time.monotonic()
    try:
        MEASURE[part](options, out)
    except Exception:  # whatever it was: the others took long, too
        traceback.print_exc()
        return False
    tell(f"{part}: took {(time.monotonic() - begun) / 60:.1f} minutes")
    return True


def measure_deploys(options: argparse.Namespace, out: Path) -> None:
    """Zdd and its peers under all loads."""
    measure_runs(options, out / "deploys.json", options.peer or list(peers.NAMES), deploys.scenarios(options.quick))


def measure_switches(options: argparse.Namespace, out: Path) -> None:
    """Ways for nginx to get from one version to the next."""
    measure_runs(options, out / "switches.json", list(peers.SWITCHES), deploys.switching())


def measure_runs(options: argparse.Namespace, file: Path, names: list[str], loads: list[dict[str, Any]]) -> None:
    """Write after every run: what was measured is not lost when somebody has had enough."""
    runs = 1 if options.quick else options.runs
    found: dict[str, Any] = json.loads(file.read_text()) if options.add and file.exists() else {}
    if not found:
        tell("how much the app can do")
        found = machine.describe()
        found |= {"settings": deploys.prepare(names, options.quick, loads), "runs": []}
    elif found["versions"] != (now := machine.describe())["versions"] or found["cpu"] != now["cpu"]:
        sys.exit(f"{file} is of another machine or other versions: its figures cannot be compared with new ones")
    for _ in range(runs):
        found["runs"].append(deploys.run(found["settings"], len(found["runs"]), tell))
        write(file, found)


def measure_path(options: argparse.Namespace, out: Path) -> None:
    """Some seconds of wrk for each way."""
    runs, seconds = (1, 1) if options.quick else (options.runs, 3)
    found = machine.describe() | {"skipped": skipped()}
    write(out / "path.json", found | {"runs": path.measure(runs, seconds, tell)})


def measure_growth(options: argparse.Namespace, out: Path) -> None:
    """Small, larger, large."""
    quick = options.quick
    counts = (1, 10, 50) if quick else (1, 10, 100, 300, 1000)
    found = machine.describe() | {"skipped": skipped(), "errors": {}}
    kinds: dict[str, Callable[[], growth.Figures]] = {
        "services": lambda: growth.services(counts, tell),
        "peer_services": lambda: growth_peer.services(counts, tell),
        "history": lambda: growth.history(20 if quick else 1000, tell),
        "connections": lambda: growth.connections((100, 1000) if quick else (100, 1000, 10_000), tell),
        "releases": lambda: growth.releases((10, 100) if quick else (100, 1000, 10_000), tell),
    }
    for kind, measure in kinds.items():
        try:
            found[kind] = measure()
        except Exception as error:  # the others take long, too
            traceback.print_exc()
            found[kind], found["errors"][kind] = [], f"{type(error).__name__} {error}".splitlines()[0]
        write(out / "growth.json", found)


def skipped() -> dict[str, str]:
    """Why a peer is in none of the tables of these parts."""
    return {"kamal-proxy": why} if (why := kamal.missing()) else {}


MEASURE = {"deploys": measure_deploys, "switches": measure_switches, "path": measure_path, "growth": measure_growth}


def write(file: Path, value: Any) -> None:
    """Write JSON that a person can read and git can compare, four digits a figure."""
    file.write_text(json.dumps(rounded(value), indent=1) + "\n")


def rounded(value: Any) -> Any:
    """The same with floats of four digits that count."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def tell(text: str) -> None:
    """Say what is under way."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
