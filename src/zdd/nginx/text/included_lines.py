"""What `check` warns about in the file that server_include names."""

from __future__ import annotations

from collections.abc import Iterator

from zdd.conf.schema import Config
from zdd.finding import Finding, warning
from zdd.nginx.config import lint, passing, server_lines, target, trust
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.parse import Directive, parse
from zdd.nginx.config.trust import Trust
from zdd.nginx.config.version import Version


def findings(config: Config, whom: Trust, version: Version, mark: Mark) -> Iterator[Finding]:
    """Yield a finding for each such line, with the file and the line."""
    nginx = config.nginx
    file, services = str(nginx.server_include), lint.served(config.services)
    for directive, lost in server_lines.passed_over(nginx.server_lines, file):
        what = f"{directive.spot}: proxy_set_header in a location replaces all headers that zdd sets"
        yield warning(what, lost, "put it outside of the location, where zdd's headers stay")
    block = Directive("server", [], [*parse(mark.header()), *parse(nginx.server_lines, file)])
    text = [Directive("http", [], [*parse(passing.LINES), *parse(trust.lines(whom, "log")), block])]
    passes = target.passes(text, services, named=True)
    yield from lint.judge(text, version, services, passes)
    yield from lint.hidden(passes, mark)
