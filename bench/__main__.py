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
from pathlib import Path
from typing import Any

from bench import deploys, growth, machine, path, peers, quoted, report

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure the parts, then write the report of all there is."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one run, two loads, small numbers: under 5 minutes on two cores")
    add("--runs", type=int, default=5, help="how often each peer has its turn (%(default)s)")
    add("--part", choices=MEASURE, action="append", help="only this part; may be given again")
    add("--peer", choices=peers.NAMES, metavar="PEER", action="append", help=f"only this: {', '.join(peers.NAMES)}")
    add("--add", action="store_true", help="add runs to the results there are, of the same machine and versions")
    add("--report", action="store_true", help="measure nothing, write the report anew")
    add("--out", type=Path, default=None, help="where (bench/results; with --quick build/bench)")
    options = parser.parse_args()
    out = options.out or (Path("build/bench") if options.quick else RESULTS)
    out.mkdir(parents=True, exist_ok=True)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine, where modules are compiled once
    for part in () if options.report else options.part or MEASURE:
        MEASURE[part](options, out)
    from bench import plots  # matplotlib is needed for nothing else

    report.write(out)
    if out == RESULTS:
        quoted.write(out)
    plots.write(out)
    tell(f"see {out}/REPORT.md")


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
    write(out / "path.json", machine.describe() | {"runs": path.measure(runs, seconds, tell)})


def measure_growth(options: argparse.Namespace, out: Path) -> None:
    """Small, larger, large."""
    quick = options.quick
    found = machine.describe() | {
        "services": growth.services((1, 10, 50) if quick else (1, 10, 100, 300, 1000), tell),
        "history": growth.history(20 if quick else 1000, tell),
        "connections": growth.connections((100, 1000) if quick else (100, 1000, 10_000), tell),
        "releases": growth.releases((10, 100) if quick else (100, 1000, 10_000), tell),
    }
    write(out / "growth.json", found)


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
