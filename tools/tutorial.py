"""Types what the tutorial says, and writes what is then on the screen into it: `python -m tools.tutorial`."""

import time

from tests.pages import DOCS, Page
from tests.system.project import Project
from tests.system.typist import Typist

PAGE = DOCS / "tutorial.md"


def main() -> None:
    """Write the page."""
    page = Page(PAGE)
    text = page.text
    project = Project()
    typist = Typist(project)
    try:
        for block in page.blocks:
            if block.where:
                typist.write(block)
            elif block.language == "console":
                text = text.replace(block.text, "".join(_typed(typist, command) for command, _ in block.dialogue()))
    finally:
        typist.type("zddeploy down")
        project.end()
    PAGE.write_text(text)


def _typed(typist: Typist, command: str) -> str:
    if command.startswith("curl"):
        time.sleep(1.5)  # as people do: until then the old version may answer
    return f"$ {command}\n{typist.type(command)}"


if __name__ == "__main__":
    main()
