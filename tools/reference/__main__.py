from pathlib import Path

from tools.reference import commands, configuration, objects, refusals

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {
    "configuration.md": configuration.page,
    "commands.md": commands.page,
    "json.md": objects.page,
    "refusals.md": refusals.page,
}


def main() -> None:
    """Write them."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    main()
