"""
Types what the tutorial and the guides say, and writes what is then on the screen into them.

`python -m tools.tutorial` does so for all pages, with names of guides for these.
"""

import sys
import time

from tests.pages import DOCS, Block, Page
from tests.system.project import Project
from tests.system.typist import GUIDES, Typist


def main() -> None:
    """Write the pages."""
    for name in sys.argv[1:] or ["tutorial", *GUIDES]:
        project = Project()
        typist = Typist(project) if name == "tutorial" else Typist(project, "shop", "deploy")
        path = DOCS / ("tutorial.md" if name == "tutorial" else f"guides/{name}.md")
        page = Page(path)
        done, rest = "", page.text
        try:
            for block in page.blocks:
                before, _, rest = rest.partition(block.text)
                done += before + _done(typist, block)
        finally:
            typist.type("zddeploy down")
            project.end()
        path.write_text(done + rest)


def _done(typist: Typist, block: Block) -> str:
    """Return the block as it now is."""
    if block.language == "console":
        return "".join(_typed(typist, command) for command, _ in block.dialogue())
    if block.section != "Install":
        typist.follow(block)
    return block.text


def _typed(typist: Typist, command: str) -> str:
    if command.startswith("curl"):
        time.sleep(1.5)  # as people do: until then the old version may answer
    return f"$ {command}\n{typist.type(command)}"


if __name__ == "__main__":
    main()
