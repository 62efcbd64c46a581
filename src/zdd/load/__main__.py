"""
The load generator as a program.

    python -m zdd.load http://127.0.0.1:8080/ --rate 300 --conns 32 --seconds 10 --post
    python -m zdd.load unix:/run/app.sock --seconds 5
    python -m zdd.load '{"target": "127.0.0.1:8080", "seconds": 5}'

By hand it prints a summary and exits 1 if a request failed. With a spec in JSON, or - for one in the first line of
standard input, it serves programs: each line it prints is a JSON object with an `event`: started, progress (4 a
second), report (the last one) or error. It stops after `seconds`, at SIGTERM or SIGINT, and, with -, at the end of
standard input; a report always follows, after the spec's timeout at most.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zdd.load.generator import Generator
from zdd.load.report import Report
from zdd.load.samples import encode
from zdd.load.spec import Kind, Spec


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 1 requests failed (by hand only), 2 no load could be made."""
    options = _parser().parse_args(arguments)
    by_hand = options.target != "-" and not options.target.startswith("{")
    try:
        if by_hand:
            generator = Generator(_spec(options))
        else:
            stdin = sys.stdin.fileno() if options.target == "-" else None
            text = options.target if stdin is None else sys.stdin.buffer.readline()
            generator = Generator(Spec.from_json(text), stdin)
    except (OSError, ValueError, TypeError) as error:
        if not by_hand:
            _print({"event": "error", "message": str(error)})
        sys.stderr.write(f"zdd.load: {error}\n" if by_hand else "")
        return 2
    _tune()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: generator.stop())
    if by_hand:
        report = generator.run(lambda _: None)
        sys.stdout.write(summary(report))
        return 1 if report.total_failed else 0
    with contextlib.suppress(BrokenPipeError):  # the parent has ended
        _print({"event": "report", "report": generator.run(_print)})
    return 0


def summary(report: Report) -> str:
    """Return the report for people."""
    start, seconds = report.started, report.ended - report.started
    lines = [f"{report.requests} requests in {seconds:.1f} s, {report.ok} ok, {report.total_failed} failed"]
    lines += [f"  {count} {outcome}" for outcome, count in report.failed.items()]
    lines += [
        f"    {seen.at - start:.3f} s: {seen.kind}: {seen.outcome}, {seen.detail}" for seen in report.failures[:5]
    ]
    lines += [f"{count} reconnects by the server ({why})" for why, count in report.reconnected.items()]
    for kind in report.kinds:
        times = ", ".join(f"p{p} {report.percentile(p, kind=kind) * 1000:.2f} ms" for p in (50, 90, 99, 100))
        lines += [f"{kind}: {times}"] if "nan" not in times else []  # the report has such requests
    for value, seen in report.answered.items():
        lines += [f"{value}: {seen.count} answers from {seen.first - start:.3f} to {seen.last - start:.3f} s"]
    load = f"used {report.cpu / seconds:.0%} of a core and was late by {report.late * 1000:.2f} ms at most"
    return "\n".join([*lines, f"the generator itself {load}", ""])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zdd.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("target", help="http(s)://HOST[:PORT]/PATH, unix:PATH, a spec as JSON, or - for a spec on standard input")
    add("--rate", type=float, default=300, help="requests a second (%(default)s)")
    add("--conns", type=int, default=32, help="keep-alive connections (%(default)s)")
    add("--seconds", type=float, default=10, help="how long (%(default)s)")
    add("--timeout", type=float, default=10, help="seconds in which a request must be answered (%(default)s)")
    add("--post", action="store_true", help="make every second request a POST of 1 KiB")
    add("--host", default="", help="the Host header")
    add("--record", default="", metavar="HEADER", help="tell which values of this answer header were seen when")
    add("--websockets", type=int, default=0, help="echoing WebSockets at /ws beside the requests (%(default)s)")
    return parser


def _spec(options: argparse.Namespace) -> Spec:
    target, path = Spec.split(options.target)
    kinds = (Kind(path=path), Kind("POST", path, body=1024))[: 1 + options.post]
    names = ("rate", "seconds", "timeout", "host", "record", "websockets")
    is_tls = Spec.is_tls(options.target)
    return Spec(
        target, kinds, connections=options.conns, tls=is_tls, **{name: getattr(options, name) for name in names}
    )


def _print(message: dict[str, Any]) -> None:
    data = memoryview(json.dumps(message, default=encode).encode() + b"\n")
    while data:
        data = data[os.write(1, data) :]


def _tune() -> None:
    """Set rare garbage collection, exact timers and a high priority for steady timing, and allow enough descriptors."""
    gc.freeze()
    gc.set_threshold(100_000)  # only answers that never came whole are cycles
    with contextlib.suppress(OSError):  # a container may forbid it
        Path("/proc/self/timerslack_ns").write_text("1000")  # instead of 50 us
    with contextlib.suppress(OSError):  # only root may
        os.nice(-10)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
