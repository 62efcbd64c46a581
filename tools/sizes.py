"""Prints lines of source, and the longest files and functions: small beats big."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "zdd"
SHOWN = 3


def main() -> None:
    """Print three lines."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    lengths = {str(path.relative_to(SOURCE)): text.count("\n") for path, text in files.items()}
    functions = {
        f"{path.relative_to(SOURCE)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    print(f"source     {sum(lengths.values())} lines in {len(lengths)} files")
    print(f"files      {longest(lengths)}")
    print(f"functions  {longest(functions)}")


def longest(lengths: dict[str, int]) -> str:
    """Return the longest ones with their lines."""
    top = sorted(lengths.items(), key=lambda pair: -pair[1])[:SHOWN]
    return ", ".join(f"{name} {lines}" for name, lines in top)


if __name__ == "__main__":
    main()
