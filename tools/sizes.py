"""Prints lines of source (all, and those of code alone), and the longest files and functions: small beats big."""

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
    code = sum(code_lines(text) for text in files.values())
    print(f"source     {sum(lengths.values())} lines in {len(lengths)} files, {code} of them code")
    print(f"files      {longest(lengths)}")
    print(f"functions  {longest(functions)}")


def code_lines(text: str) -> int:
    """Count the lines that are neither blank nor comments nor part of a docstring."""
    documented: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            documented.update(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(number not in documented and bool(line.strip()) and line.strip()[0] != "#" for number, line in lines)


def longest(lengths: dict[str, int]) -> str:
    """Return the longest ones with their lines."""
    top = sorted(lengths.items(), key=lambda pair: -pair[1])[:SHOWN]
    return ", ".join(f"{name} {lines}" for name, lines in top)


if __name__ == "__main__":
    main()
