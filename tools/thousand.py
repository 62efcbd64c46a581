"""
How zdd bears many services: `python -m tools.thousand [SERVICES]`, from the repository; 50 of them unless told.

Each is a worker that sleeps; a thousand of them take some 12 GB, nearly all of it their keepers' memory.
"""

import os
import statistics
import sys
import time

from tests.system.project import Project, service

from zdd.host import process


def main(count: int = 50) -> None:
    """Print how long the commands take, and how much memory a keeper has."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine, where modules are compiled once
    project = Project()
    workers = (f"worker{number:04}" for number in range(count))
    text = "".join(service(name, run="sleep 1000000", socket="none", min_uptime="0s") for name in workers)
    project.write("deploy.toml", project.section() + text)
    try:
        print(f"{count} services")
        print(f"  --dry-run, nothing deployed  {timed(project, '--dry-run'):.2f} s")
        print(f"  deploy                       {timed(project, times=1):.2f} s")
        print(f"  status                       {timed(project, 'status'):.2f} s")
        print(f"  --dry-run                    {timed(project, '--dry-run'):.2f} s")
        resident, own = memory(project)
        print(f"  a keeper                     {resident / 1024:.1f} MB resident, {own / 1024:.1f} MB of its own")
        print(f"  deploy again                 {timed(project, times=1):.2f} s")
        print(f"  down                         {timed(project, 'down', times=1):.2f} s")
    finally:
        project.end()


def timed(project: Project, *args: str, times: int = 5) -> float:
    """Return the median seconds of a command."""
    seconds = []
    for _ in range(times):
        begun = time.monotonic()
        project.zddeploy(*args, timeout=1800)
        seconds.append(time.monotonic() - begun)
    return statistics.median(seconds)


def memory(project: Project) -> tuple[float, float]:
    """Return the medians over all keepers, in KiB: what is resident, and what each has for itself."""
    keepers = [pid for pid in process.parents() if f"{project.runtime}/control/" in process.title(pid)]
    found = []
    for pid in keepers:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            fields = dict(line.split(":") for line in file.read().splitlines()[1:])
        found.append([int(fields[name].split()[0]) for name in ("Rss", "Private_Dirty")])
    return statistics.median(one[0] for one in found), statistics.median(one[1] for one in found)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
