"""
Prints the page about refused releases, from those that the tests deploy: `python -m tools.refusals`, to be written to
docs/reference/refusals.md.
"""

from tests.system.test_broken_releases import RELEASES

HEAD = """\
# When a release is refused

What a broken release looks like from outside: each of these is deployed by a test, under load, with not one request
lost. The old version goes on serving, nothing of the new one is left but its log, and the screen says why. Times and
names are those of the test: `start_timeout` is 1.5 s there, and `/health` the `health_path`.

| The new version | is refused | and the screen says |
| --- | --- | --- |
"""


def main() -> None:
    """Print the page."""
    rows = []
    for broken in RELEASES:
        words = "<br>".join(f"`` {word.replace('ELSEWHERE', '8000').strip()} ``" for word in broken.words)
        rows.append(f"| {broken.what} | {broken.when} | {words} |\n")
    print(HEAD + "".join(rows), end="")


if __name__ == "__main__":
    main()
