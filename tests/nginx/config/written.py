"""nginx text for a tree of directives, and trees to write."""

from __future__ import annotations

from hypothesis import strategies as st

from zdd.nginx.config.parse import DATA, Directive
from zdd.nginx.config.upstream import quoted


def text(tree: list[Directive], indent: str = "") -> str:
    lines = []
    for directive in tree:
        words, block = " ".join(map(quoted, [directive.name, *directive.args])), directive.block
        if block is None:
            lines.append(f"{indent}{words}; # {{ a 'comment\n")
        else:
            lines.append(f"{indent}{words} {{\n{text(block, indent + '  ')}{indent}}}\n")
    return "".join(lines)


ODD = [
    *"{};#$\\\"' \t\r\n",
    "${",
    "}",
    "a",
    "\u00e9",
    "*",
    "_by_lua_block",
    "\x0b",
    "\x00",
    "{web.servers}",
    "{x}",
    "[[",
]
odd_text = st.lists(st.sampled_from(ODD)).map("".join)
words = st.one_of(st.text("abz_$./:~^=-", min_size=1, max_size=8), odd_text)
names = st.one_of(st.sampled_from(["server", "location", "listen", *sorted(DATA)]), words).filter(
    lambda name: not name.endswith("_by_lua_block")
)


def _directives(inner: st.SearchStrategy[list[Directive]]) -> st.SearchStrategy[list[Directive]]:
    return st.lists(st.builds(Directive, names, st.lists(words, max_size=4), st.none() | inner), max_size=4)


trees = st.recursive(_directives(st.just([])), _directives, max_leaves=20)
