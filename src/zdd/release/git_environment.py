"""The environment of git and of builds: ours, without what makes git answer otherwise or for another repository."""

from __future__ import annotations

import re

from zdd.instances import environment

# Variables that git sets for hooks, from which people deploy (`git rev-parse --local-env-vars`).
_OTHER_REPOSITORY = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|NAMESPACE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    "|QUARANTINE_PATH|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|NO_REPLACE_OBJECTS|IMPLICIT_WORK_TREE"
    "|INTERNAL_SUPER_PREFIX|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT)"
)
# What people set: a trace would be read as an answer, and under other pathspecs git finds no attributes.
_OTHER_ANSWERS = re.compile("GIT_(TRACE.*|CURL_VERBOSE|(LITERAL|GLOB|NOGLOB|ICASE)_PATHSPECS|ATTR_SOURCE)")


def inherited() -> dict[str, str]:
    """Return our own environment without CI marks and without the variables of a git hook's repository."""
    return {name: text for name, text in environment.inherited().items() if not _OTHER_REPOSITORY.fullmatch(name)}


def of_git() -> dict[str, str]:
    """Return the same for git whose output is read: it asks nobody, and its words are English."""
    ours = {name: text for name, text in inherited().items() if not _OTHER_ANSWERS.fullmatch(name)}
    return ours | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
