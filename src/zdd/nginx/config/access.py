"""
The format of the access log: one JSON object a line, and where nginx says when it connected.

No variable of nginx has the moment of a connect. `$zdd_at` does: a map is evaluated where it is used first, and its
value is kept for the rest of the request. The first use is a header of the request that nginx makes right before it
connects, X-Request-Start, which monitoring tools read as the time at which a request began to wait for its app.

The text says nothing of a release, or each deploy would be a reload: the reader finds the release by slot and time.
Cookies and queries are left out, as they hold secrets. So are the requests by which zdd itself looks at nginx: they are
no visitors, and nginx knows them by the secret of the mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zdd.finding import Finding, warning
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.parse import Directive, every
from zdd.nginx.config.upstream import quoted

REQUEST_START = "X-Request-Start"

_FIELDS = {
    "msec": "$msec",
    "at": "$zdd_at",
    "id": "$request_id",
    "connection": "$connection",
    "method": "$request_method",
    "host": "$host",
    "path": "$zdd_path",
    "status": "$status",
    "bytes": "$body_bytes_sent",
    "seconds": "$request_time",
    "slots": "$upstream_addr",
    "statuses": "$upstream_status",
    "times": "$upstream_response_time",
}


class AccessFormat:
    """
    The log format and its variables. In an nginx that other projects may share, all names end with the mark's name.

    `request_id` is the variable of the id that the app gets, if that is not nginx's own. With a `mark` nginx does not
    log zdd's own requests.
    """

    def __init__(self, name: str = "", request_id: str = "$request_id", mark: Mark | None = None) -> None:
        ending = f"_{name}" if name else ""
        self.name = f"zdd{ending}"
        self.at = f"$zdd_at{ending}"
        self._path, self._found = f"$zdd_path{ending}", f"zdd_found{ending}"
        self._request_id = request_id
        self._mark, self._visit = mark, f"$zdd_visit{ending}"

    def lines(self) -> str:
        """Return the lines for the http level; none of them has a comment, so they may be joined."""
        return "\n".join(
            [
                f'map "" {self.at} {{ default $msec; }}',
                f'map $request_uri {self._path} {{ default ""; "~^(?<{self._found}>[^?#]*)" ${self._found}; }}',
                *([self._mark.visitors(self._visit)] if self._mark else []),
                self._format(self.name, _FIELDS),
            ]
        )

    def static_lines(self) -> str:
        """Return the line for the http level with one more format, for what nginx serves from a folder."""
        return self._format(f"{self.name}_static", _FIELDS | {"root": "$realpath_root"})

    def _format(self, name: str, fields: Mapping[str, str]) -> str:
        ours = {"$zdd_at": self.at, "$zdd_path": self._path, "$request_id": self._request_id}
        values = ",".join(f'"{key}":"{ours.get(value, value)}"' for key, value in fields.items())
        return f"log_format {name} escape=json '{{{values}}}';"

    def header(self) -> str:
        """Return the line that tells apps, and the log, when nginx connects."""
        return f'proxy_set_header {REQUEST_START} "t={self.at}";'

    def log(self, path: str) -> str:
        """Return the line that logs requests into this file."""
        return self._log(path, self.name)

    def static_log(self, path: str) -> str:
        """Return the line for the location of a folder."""
        return self._log(path, f"{self.name}_static")

    def _log(self, path: str, form: str) -> str:
        return f"access_log {quoted(path)} {form}{f' if={self._visit}' if self._mark else ''};"


def unlogged(text: list[Directive], path: bool | str, form: AccessFormat | None) -> Iterator[Finding]:
    """Yield that no server block writes the log that `access_log` names, in our format."""
    if not isinstance(path, str) or not form:
        return
    if not any(directive.args[:2] == [path, form.name] for directive in every(text, "access_log")):
        yield warning(
            f"no server block logs into {path} in the format {form.name}",
            "`zddeploy logs --access` shows no new request",
            f"{form.log(path)} {form.header()}",
        )
