"""The page about refused releases, made of those that the tests deploy."""

from tests.system.test_broken_releases import RELEASES

HEAD = """\
# When a release is refused

What a broken release looks like from outside: each of these is deployed by a test, under load, with not one request
lost. The old version goes on serving, nothing of the new one is left but its log, and the screen says why. Times and
names are those of the test: `start_timeout` is 1.5 s there, and `/health` the `health_path`.

| The new version | is refused | and the screen says |
| --- | --- | --- |
"""


def page() -> str:
    """Return the page."""
    rows = []
    for broken in RELEASES:
        words = "<br>".join(f"`` {word.replace('ELSEWHERE', '8000').strip()} ``" for word in broken.words)
        rows.append(f"| {broken.what} | {broken.when} | {words} |\n")
    return HEAD + "".join(rows)
