"""
The processes below a process, without a look at all others: the kernel lists each thread's children.

That list may lack a child while another one ends (proc_tid_children(5)), and a child whose parent ends in between moves
to another list. So a tree counts once two looks in a row agree.
"""

from __future__ import annotations

import os

from zdd.host import proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOOKS = 20  # at most: a tree that never agrees forks or ends all the time


def is_listed() -> bool:
    """Return whether this kernel lists children (CONFIG_PROC_CHILDREN)."""
    return os.path.exists(_of_thread("self", str(os.getpid())))


def children(pid: int) -> list[int]:
    """Return the processes that a process has started or adopted; empty if it has ended."""
    return _agreed(lambda: _children(pid))


def below(root: int) -> list[int]:
    """Return all processes below this one, children before grandchildren."""
    return _agreed(lambda: _below(root))


def _agreed(look: Callable[[], list[int]]) -> list[int]:
    before = look()
    for _ in range(_LOOKS):
        now = look()
        if now == before:
            break
        before = now
    return before


def _below(root: int) -> list[int]:
    tree, known = [root], {root}
    for pid in tree:
        fresh = [child for child in _children(pid) if child not in known]
        known.update(fresh)
        tree += fresh
    return tree[1:]


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:  # it has ended, or is hidden
        return []
    return [int(child) for thread in threads for child in proc.read(_of_thread(str(pid), thread)).split()]


def _of_thread(pid: str, thread: str) -> str:
    return f"/proc/{pid}/task/{thread}/children"
