"""The house: imports go down only, nothing goes round in circles, and what is pure touches nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "zdd"

# From the top to the ground: each part may import the parts after it. A part is a folder or a file of src/zdd, or one
# file of a folder that stands lower than the rest.
_ORDER = """
    __main__ cli demo init
    deploy checks operate acme project deployed snapshot
    release nginx instances routing keeper.survey keeper.client
    paths usable claims living layout conf kills history interrupts
    events finding terminal errors cause secret visible typed digest load instances.name
    keeper host __init__
"""
ORDER = _ORDER.split()
# What is pure is given all it needs: outside its own folder it imports nothing of these parts.
MACHINE = {"host", "project", "nginx", "instances", "routing", "keeper", "keeper.client", "paths", "release"}
MACHINE |= {"keeper.survey"}
PURE = {"deploy.plan": MACHINE - {"routing"}, "nginx.config": MACHINE}
ALONE = {
    "keeper": {"host"},
    "host": set[str](),
    "load": set[str](),
}  # what lives on its own, and all that it may import


def test_every_file_belongs_to_a_part_of_the_house() -> None:
    assert [name for name in modules() if part_of(name) not in ORDER] == []


def test_imports_go_down_only() -> None:
    wrong = [
        f"{name} imports {other}: {part_of(other)} stands above {part_of(name)}"
        for name, others in modules().items()
        for other in others
        if ORDER.index(part_of(other)) < ORDER.index(part_of(name))
    ]

    assert wrong == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(modules()) == []


def test_what_is_pure_imports_nothing_that_touches_the_machine() -> None:
    wrong = [
        f"{name} imports {other}, and {pure} is pure"
        for name, others in modules().items()
        for pure, machine in PURE.items()
        for other in others
        if is_in(name, pure) and not is_in(other, pure) and part_of(other) in machine
    ]

    assert wrong == []


def test_only_the_factory_knows_whose_nginx_it_is() -> None:
    kinds = {"nginx.managed", "nginx.external"}

    assert {name for name, others in modules().items() if others & kinds} == {"nginx.proxies"}


def test_what_lives_on_its_own_carries_nothing_else() -> None:
    wrong = [
        f"{name} imports {other}: {part_of(name)} imports {' and '.join(ALONE[part_of(name)]) or 'nothing'} alone"
        for name, others in modules().items()
        for other in others
        if part_of(name) in ALONE and part_of(other) not in {part_of(name), *ALONE[part_of(name)]}
    ]

    assert wrong == []


def test_each_rule_sees_what_breaks_it() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert part_of("keeper.client") == "keeper.client"
    assert part_of("nginx.config.render") == "nginx"
    assert "routing.tables" in modules()["project"]


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def part_of(name: str) -> str:
    return name if name in ORDER else name.partition(".")[0]


def modules() -> dict[str, set[str]]:
    """Return what each module of zdd imports of zdd, for types as well; a package is its __init__."""
    files = {name_of(path): path for path in SOURCE.rglob("*.py")}
    return {name: {other for other in imported(path) if other in files} - {name} for name, path in files.items()}


def name_of(path: Path) -> str:
    words = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(words[:-1] if len(words) > 1 and words[-1] == "__init__" else words)


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file may mean: `from a import b` means a, or the module b in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("zdd.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "zdd":
            package = node.module.removeprefix("zdd").removeprefix(".")
            within = [f"{package}.{alias.name}".removeprefix(".") for alias in node.names]
            found = [name for name in within if is_module(name)]
            yield from found
            if len(found) < len(within):
                yield package or "__init__"


def is_module(name: str) -> bool:
    path = SOURCE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules of which each one leads to each other one (Tarjan, 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[-len(group) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in order:
            visit(name)
    return found
