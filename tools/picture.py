"""The README's picture of a terminal, made of the tutorial's screens, which a test types: `python -m tools.picture`."""

import html
import re
import textwrap

from tests.pages import DOCS, Page

PICTURE = DOCS / "images" / "deploy.svg"
SECTIONS = ("A new version", "Back", "A version that does not work")
COLUMNS, LINE, LEFT, TOP = 88, 20, 18, 48
COLOURS = (  # of a line that begins so; the screen's own
    (r"\$ ", "#e6edf3"),
    (r"done |.* still serves", "#56d364"),
    (r"zddeploy: ", "#ff7b72"),
    (r"  \|", "#8b949e"),
    (r"", "#c9d1d9"),
)


def picture() -> str:
    """Return the SVG."""
    lines = [line for block in _screens() for line in [*block.splitlines(), ""]][:-1]
    wrapped = [(_colour(line), part) for line in lines for part in _wrapped(line)]
    width, height = LEFT * 2 + COLUMNS * 8.4, TOP + LINE * len(wrapped) + 8
    dots = "".join(
        f'<circle cx="{20 + 20 * place}" cy="20" r="6" fill="{fill}"/>'
        for place, fill in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))
    )
    rows = "\n".join(_row(number, *line) for number, line in enumerate(wrapped))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="'
        "A deploy, and one of a version that does not work: the old one goes on serving"
        f'">\n<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{dots}\n'
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">\n{rows}\n</g>\n</svg>\n'
    )


def _screens() -> list[str]:
    page = Page(DOCS / "tutorial.md")
    return [next(one.text for one in page.section(name) if one.language == "console") for name in SECTIONS]


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, COLUMNS, subsequent_indent="  ") or [""]


def _colour(line: str) -> str:
    return next(colour for begin, colour in COLOURS if re.match(begin, line))


def _row(number: int, fill: str, line: str) -> str:
    place = f'x="{LEFT}" y="{TOP + LINE * number}"'
    return f'<text {place} fill="{fill}" xml:space="preserve">{html.escape(line)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture())
