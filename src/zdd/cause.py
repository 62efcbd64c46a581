"""The line of a program's output that says why the program failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

_NOTHING = "\0"  # in place of a line that never says why
_SEARCHED = 1000  # lines from the end of a log
_LONGEST_LINE, _LONGEST = 500, 300  # characters of a line that are searched, and of a cause
_MOST = 3  # lines of a cause after its first one
_FRAMES = 12  # lines after a JavaScript error among which its first stack frame stands

_UNSEEN = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")  # colours and other control characters
_STAMP = re.compile(  # what loggers write before the text, such as [2026-01-31 10:00:00 +0000] [4711]
    r"^(?:[A-Z], )?(?:\[?(?:[A-Z][a-z]{2} [A-Z][a-z]{2} |\d{2}-[A-Z][a-z]{2}-)?"
    r"\d{2,4}[-/: ]\d{2}[-/:]\d{2}[-\d/:.,T Z+#]*\]?\s*|\[\d+\]\s+)+"
)
# What launchers of several programs write before it: honcho, foreman, docker compose; turbo; concurrently.
_PROGRAM = re.compile(
    r"^(?!\[?(?i:error|err|fatal|crit|critical|emerg|alert|severe|warn|warning|notice|info|debug|trace)\b)"
    r"(?:(?:\d\d:\d\d:\d\d )?[A-Za-z][\w.:-]* *\| |[\w@/.-]+:[A-Za-z][\w.-]*: |\[[\w:.-]+\] )"
)
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):$")
_FRAME = re.compile(r'^[\s|]+File "([^"]+)", line (\d+)')
_JAVASCRIPT = re.compile(r"^(?:\s+at (?:.* )?\(?(?:file://)?)?(/[^():]+\.[cm]?[jt]sx?):(\d+)(?::\d+)?\)?$")
_OF_OTHERS = re.compile(r"site-packages|dist-packages|/lib/python|^<|node_modules|node:|/gems/|/ruby/|/bin/[^/]+$")
_JSON_TEXT = re.compile(r'(?:"(?:msg|message|event|error|err)"\s*:\s*|\b(?:msg|error|err)=)"((?:[^"\\]|\\.)+)"')
# Errors that Python reports of what nobody waits for, and at its end: another one, if there is one, says more.
_ASIDE = re.compile(
    r"^(?:Exception ignored in|Error in atexit\._run_exitfuncs|--- Logging error|\S+ exception was never retrieved)"
)

# What a failure leads to, which never says why; and requests, which are answered with all kinds of words.
_CONSEQUENCE = re.compile(
    r"(?i)worker failed to boot|app failed to load|application startup failed|unexpected exit from worker"
    r"|exited with (?:code|status)|shutting down|fpm initialization failed|compilation aborted"
    r"|^\S+ stopped \(rc=|^sending sig|terminated by sig|command finished with error|run failed: command"
    r"|gave up: \S+ entered fatal|too many unstable restarts|lifecycle script .+ failed|^npm \S+ error: command failed"
    r"|^make(?:\[\d+\])?: (?:entering|leaving) directory|^make.*: \*\*\* \[.*\] error \d+"
    r"|could not create the java virtual machine|fatal exception has occurred\. program will exit"
    r"|^node\.js v\d|^\(use `node --trace"
    r"|failed to start, stopping|early termination of worker|^brokenpipeerror: "
    r"|^\S*(?:keyboardinterrupt|cancellederror|systemexit|generatorexit)\b:? ?\d*$"
    r"|\breaped #<|a complete log of this run|command failed with exit code|errno \d+$"
    r"|^\s+(?:code|errno|syscall): "
    r'|"(?:get|head|post|put) \S+ http/|\bdeprecat'
)

_BEFORE = re.compile(  # the level of a logger, or where Ruby was
    r"^(?:\W*(?:ERROR|CRITICAL|FATAL|SEVERE)\b[\]:|\s-]*)+|^\S*:\d+:in [`'].+?': |^Description:|^[\s|+]+"
)
_NAME = r"(?:[A-Za-z_$][\w$]*(?:\.|::|\\))*"  # the package of a class, in any language
_ENDING = "(?:Error|Exception|Rejection|Failure|NotFound|Configured|Fault|NotCapable|Missing|Invalid|Denied)"


class _Row(NamedTuple):
    """
    One kind of line that says why.

    `which` match counts: -1 for the last, 0 for the first. `more` of the lines that follow belong to the cause.
    """

    pattern: re.Pattern[str]
    which: int = -1
    more: int = 0


def _row(pattern: str, which: int = -1, more: int = 0) -> _Row:
    return _Row(re.compile(pattern), which, more)


_EXCEPTION = _row(
    rf"^[\s|+]*(?:error: )?(?:Uncaught )?(?:\(in promise\) )?{_NAME}[A-Z]\w*{_ENDING}(?: \[\w+\])?(?:: .+|:$)"
)
# The table: the surest kinds first. The first row that has a match decides.
_ROWS = (
    _row(r"^Description:$", more=1),  # Spring Boot
    _row(r"^Caused by: (?P<why>.+)"),  # the JVM names the root last
    _row(rf"^\s*\[cause\]: (?P<why>(?:Uncaught )?{_NAME}\w*{_ENDING}.*: .+)"),  # and so does Node
    _row(r'^\[?UnhandledPromiseRejection.* (?P<why>rejected with the reason ".*")\.?$'),
    _row(r"\bValidationErrors?: \d+ validation errors?\b", more=2),  # pydantic
    _row(r"(?i)already running on pid|pid ?file\b.* (?:exists|stale)|a server is already running"),
    _row(r"(?i)\baddress already in use|\beaddrinuse\b|is port \d+ in use|port \d+ (?:was|is) already in use"),
    _row(r"^(?:PHP )?(?:Fatal|Parse) error: .+"),
    _row(r"^thread '.*' (?:\(\d+\) )?panicked at .*", more=1),  # Rust
    _row(r"^(?:panic|fatal error): .+|^\*\* \(\S+\) .+|^Unhandled [Ee]xception[.:] .+", 0),  # Go, Elixir, .NET
    _row(r"^terminate called after .+", more=1),  # C++
    _row(r"^Failed to find attribute .+|^Failed to parse .+ as an attribute .+|Error loading ASGI app\. .+"),
    _row(r"^There was an exception \(\w+\) importing your module", more=2),  # waitress
    _row(r"^! Unable to load application: (?P<why>.+)|^Error while loading .+"),  # puma, starman
    _row(
        r"^Unable to load celery application\.$|^Error code: P\d{4}$|^error: Failed to spawn: .+", more=1
    ),  # Prisma, uv
    _row(r"^Error: The module '.+'$", more=3),  # Node's native modules
    _row(r"^(?:bundler: command not found: |Your Ruby version is |Could not find .+ in (?:locally|any of)).*", 0),
    _row(r"^flag (?:provided but not defined|needs an argument): .+|^invalid value .+ for flag .+", 0),  # Go
    _row(r"^\[FATAL tini \(\d+\)\] (?P<why>.+)|\bspawnerr: (?P<what>.+)|^make(?:\[\d+\])?: \*\*\* .+", 0),
    _row(r"^Kernel pid terminated .+|^Unrecognized (?:VM )?option.+", 0),  # Erlang, the JVM
    _row(r"^\S*:\d+:in [`'].+?': .+", 0),  # Ruby
    _row(r"^\S+\.(?:rb|ru):\d+: (?:syntax error|.*\(SyntaxError\)).*", 0),
    _row(r"heap out of memory|^MemoryError\b|\bOutOfMemoryError\b|Could not reserve enough space"),
    _row(r'^Exception in thread "[^"]*" (?P<why>.+)|^Error: (?:Could not find or load|Unable to access) .+'),
    _row(r"^Error occurred during initialization of VM", more=1),
    _EXCEPTION,
    _row(r"^Caused by:$", more=1),  # Rust's anyhow
    _row(r"^[\s|+]*\[?(?:Error|E[A-Z]{4,})(?: \[\w+\])?: .+", 0),  # JavaScript
    _row(r"error while loading shared libraries: .+|: (?:command )?not found$|^\S+: .*: Permission denied$"),
    _row(r"^\S*\benv: .+: No such file or directory$"),
    _row(r"(?i)(?:^|[\[( :-])(?:fatal|critical|emerg)\b[\]:) -]+\S.*|\"level\":\s*(?:60|\"(?:fatal|panic|critical)\")"),
    _row(r"^(?:npm error|npm ERR!) (?!code |errno |syscall |path )\S.*", 0),
    _row(r"^[\w./: -]{0,40}\berror: (?P<why>.+)", 0),
    _row(r"\b(?:ERROR|SEVERE)\b[\]:| -]+\S.*|^\[?error\]?[: ]+\S.*|\"level\":\s*(?:50|\"error\")|\blevel=error\b", 0),
    _row(r"\"level\":\s*\"ERROR\"|\blevel=ERROR\b", 0),  # Go's slog
    _row(r"^! Unable to start worker", 0, more=1),
)
# Lines that sound like trouble, and lines that do not, whatever words they have.
_TROUBLE = re.compile(
    r"(?i)\b(?:fail(?:ed|ure)?|cannot|can't|could not|couldn't|unable|missing|not (?:set|found|defined|exist)|denied"
    r"|no such|refused|invalid|required|unknown|unexpected|must be|error|panic|abort(?:ed)?|killed)\b"
)
_CALM = re.compile(r"(?i)^\W*(?:info|debug|trace|notice|warn(?:ing)?)\b|[\[( ](?:info|debug|trace|notice)[\]): ]")


def find(lines: Sequence[str]) -> str | None:
    """Return what says why the program failed, with the place in its code if that is known; None if nothing is sure."""
    texts = _searched(lines)
    row, indices = _matches(texts)
    return _cut(_whole(texts, indices[row.which], row) + _place(texts, indices[row.which])) if indices else None


def times(lines: Sequence[str]) -> int:
    """Return how often the program has failed in that way."""
    return len(_matches(_searched(lines))[1])


def guess(lines: Sequence[str]) -> str | None:
    """Return the same, or else the likeliest line: the last that sounds like trouble, or the last one of all."""
    if why := find(lines):
        return why
    texts = [text.strip() for text in map(_plain, lines[-_SEARCHED:]) if not _CONSEQUENCE.search(text)]
    texts = [text for text in texts if re.search(r"\w", text)]
    loud = [text for text in texts if not _CALM.search(text)]
    troubled = [text for text in loud if _TROUBLE.search(text)]
    return next((_cut(some[-1]) for some in (troubled, loud, texts) if some), None)


def with_cause(message: str, lines: Sequence[str]) -> str:
    """Return the message, with what the program's output says about the cause if that is sure."""
    why = find(lines)
    return f"{message}; its log says: {why}" if why else message


def _searched(lines: Sequence[str]) -> list[str]:
    texts = [_NOTHING if _CONSEQUENCE.search(text) else text for text in map(_plain, lines[-_SEARCHED:])]
    without = _without_asides(texts)
    return without if _matches(without)[1] else texts


def _without_asides(texts: Sequence[str]) -> list[str]:
    """Leave out what Python reports aside: from the line that says so to the exception after the next traceback."""
    found, ends = list(texts), list(_after_tracebacks(texts))
    for index, text in enumerate(texts):
        if _ASIDE.search(text) and (end := next((end for end in ends if end > index), None)):
            found[index : end + 1] = [_NOTHING] * (end + 1 - index)
    return found


def _matches(texts: Sequence[str]) -> tuple[_Row, list[int]]:
    """Return the first row that matches a line, with all lines that it matches; none if no row does."""
    for row in _ROWS:
        indices = [index for index, text in enumerate(texts) if text and row.pattern.search(text)]
        if row is _EXCEPTION:
            indices = sorted({*indices, *_after_tracebacks(texts)})
        if indices:
            return row, indices
    return _EXCEPTION, []


def _plain(line: str) -> str:
    """Return the text of a line, without colours and without what a launcher and a logger write before it."""
    return _STAMP.sub("", _PROGRAM.sub("", _STAMP.sub("", _UNSEEN.sub("", line[:_LONGEST_LINE])))).rstrip()


def _after_tracebacks(texts: Sequence[str]) -> Iterator[int]:
    """Yield where Python names an exception: in the first line after a traceback that is not indented."""
    is_inside = False
    for index, text in enumerate(texts):
        if _TRACEBACK.search(text):
            is_inside = True
        elif is_inside and text and not text[0].isspace():
            is_inside = False
            if text != _NOTHING:
                yield index


def _whole(texts: Sequence[str], index: int, row: _Row) -> str:
    """Return the cause in one line."""
    match = row.pattern.search(texts[index])
    text = (match and next(filter(None, match.groupdict().values()), None)) or texts[index]
    if structured := list(dict.fromkeys(_JSON_TEXT.findall(text))):
        text = ": ".join(structured)
    following = (line.strip() for line in texts[index + 1 :] if line.strip(" \t\0"))
    more = list(islice(following, row.more))
    while (more or [text])[-1].endswith(":") and len(more) < _MOST and (line := next(following, "")):
        more.append(line)
    return " ".join([_BEFORE.sub("", text), *more]).strip()


def _place(texts: Sequence[str], index: int) -> str:
    """Return the place in the program's own code that Python names before an exception and JavaScript after it."""
    begin = max((i for i in range(index) if _TRACEBACK.search(texts[i])), default=max(0, index - _FRAMES))
    before = [match.groups() for text in texts[begin:index] if (match := _FRAME.match(text))]
    after = [match.groups() for text in texts[index + 1 : index + _FRAMES] if (match := _JAVASCRIPT.match(text))]
    above = [match.groups() for text in texts[max(0, index - 6) : index] if (match := _JAVASCRIPT.match(text))]
    for path, line in [*reversed(before), *after, *above]:
        if not _OF_OTHERS.search(path):
            return f" ({'/'.join(path.split('/')[-2:])}, line {line})"
    return ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
