"""The line of a program's output that says why the program failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SEARCHED = 1000  # lines from the end of a log
_LONGEST_LINE, _LONGEST = 500, 300  # characters of a line that are searched, and of a cause
_FRAMES = 12  # lines after a JavaScript error among which its first stack frame stands

_UNSEEN = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")  # colours and other control characters
_STAMP = re.compile(  # what loggers write before the text, such as [2026-01-31 10:00:00 +0000] [4711]
    r"^(?:[A-Z], )?(?:\[?(?:[A-Z][a-z]{2} [A-Z][a-z]{2} |\d{2}-[A-Z][a-z]{2}-)?"
    r"\d{2,4}[-/: ]\d{2}[-/:]\d{2}[-\d/:.,T Z+#]*\]?\s*|\[\d+\]\s+)+"
)
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):$")
_FRAME = re.compile(r'^[\s|]+File "([^"]+)", line (\d+)')
_JAVASCRIPT = re.compile(r"^(?:\s+at (?:.* )?\(?(?:file://)?)?(/[^():]+\.[cm]?[jt]sx?):(\d+)(?::\d+)?\)?$")
_OF_OTHERS = re.compile(r"site-packages|dist-packages|/lib/python|^<|node_modules|node:|/gems/|/ruby/|/bin/[^/]+$")
_JSON_TEXT = re.compile(r'(?:"(?:msg|message|error|err)"\s*:\s*|\bmsg=)"((?:[^"\\]|\\.)+)"')

# What a failure leads to, which never says why; and requests, which are answered with all kinds of words.
_CONSEQUENCE = re.compile(
    r"(?i)worker failed to boot|app failed to load|application startup failed|unexpected exit from worker"
    r"|exited with (?:code|status)|shutting down|fpm initialization failed|compilation aborted"
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


_EXCEPTION = _row(rf"^[\s|+]*(?:error: )?(?:Uncaught )?(?:\(in promise\) )?{_NAME}[A-Z]\w*{_ENDING}(?: \[\w+\])?: .+")
# The table: the surest kinds first. The first row that has a match decides.
_ROWS = (
    _row(r"^Description:$", more=1),  # Spring Boot
    _row(r"^Caused by: (?P<why>.+)"),  # the JVM names the root last
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
    _row(r"^\S*:\d+:in [`'].+?': .+", 0),  # Ruby
    _row(r"^\S+\.(?:rb|ru):\d+: (?:syntax error|.*\(SyntaxError\)).*", 0),
    _row(r"heap out of memory|^MemoryError\b|\bOutOfMemoryError\b|Could not reserve enough space"),
    _row(r'^Exception in thread "[^"]*" (?P<why>.+)|^Error: (?:Could not find or load|Unable to access) .+'),
    _row(r"^Error occurred during initialization of VM", more=1),
    _EXCEPTION,
    _row(r"^Caused by:$", more=1),  # Rust's anyhow
    _row(r"^[\s|+]*(?:Error|E[A-Z]{4,})(?: \[\w+\])?: .+", 0),  # JavaScript
    _row(r"error while loading shared libraries: .+|: (?:command )?not found$|^\S+: .*: Permission denied$"),
    _row(r"(?i)(?:^|[\[( :-])(?:fatal|critical|emerg)\b[\]:) -]+\S.*|\"level\":\s*(?:60|\"(?:fatal|panic|critical)\")"),
    _row(r"^(?:npm error|npm ERR!) (?!code |errno )\S.*", 0),
    _row(r"^[\w./: -]{0,40}\berror: (?P<why>.+)", 0),
    _row(r"\b(?:ERROR|SEVERE)\b[\]:| -]+\S.*|^\[?error\]?[: ]+\S.*|\"level\":\s*(?:50|\"error\")|\blevel=error\b", 0),
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


def told(message: str, lines: Sequence[str]) -> str:
    """Return the message, with what the program's output says about the cause if that is sure."""
    why = find(lines)
    return f"{message}; its log says: {why}" if why else message


def _searched(lines: Sequence[str]) -> list[str]:
    return ["" if _CONSEQUENCE.search(text) else text for text in map(_plain, lines[-_SEARCHED:])]


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
    """Return the text of a line, without colours and without what a logger writes before it."""
    return _STAMP.sub("", _UNSEEN.sub("", line[:_LONGEST_LINE])).rstrip()


def _after_tracebacks(texts: Sequence[str]) -> Iterator[int]:
    """Yield where Python names an exception: in the first line after a traceback that is not indented."""
    is_inside = False
    for index, text in enumerate(texts):
        if _TRACEBACK.search(text):
            is_inside = True
        elif is_inside and text and not text[0].isspace():
            is_inside = False
            yield index


def _whole(texts: Sequence[str], index: int, row: _Row) -> str:
    """Return the cause in one line."""
    match = row.pattern.search(texts[index])
    text = (match and match.groupdict().get("why")) or texts[index]
    if structured := _JSON_TEXT.search(text):
        text = structured[1]
    following = (line.strip() for line in texts[index + 1 :] if line.strip())
    more = [line for line, _ in zip(following, range(row.more or text.endswith(":")), strict=False)]
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
