"""The text of an nginx that zdd runs, made of the user's template."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from zdd.errors import UsageError
from zdd.finding import Finding, error
from zdd.host import files
from zdd.nginx import addresses, conf_file
from zdd.nginx.config import access, include, listen, maintenance, parse, sticky, template, upstream
from zdd.nginx.config import target as targets
from zdd.nginx.config.access import AccessFormat
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import PLACEHOLDER
from zdd.nginx.config.parse import Directive
from zdd.nginx.text.managed import ManagedText
from zdd.routing.manifest import Manifest


class TemplateText(ManagedText):
    """The user's template, rendered beside itself."""

    routes = False
    read_timeout = None  # only the template says it

    @property
    def template(self) -> str:
        """The template's path."""
        return str(self.config.nginx.template)

    @property
    def prefix(self) -> str:
        """The project's folder."""
        return str(self.config.folder)

    def require(self) -> None:
        """Raise UsageError where the template cannot be read, or cannot lead clients to the same instance again."""
        source = self._source()
        for name in sticky.chosen(self.config.apps, self.config.apps):
            if lacks := template.lacks_for_sticky(source, name):
                raise UsageError(f"{name}: sticky needs {lacks} in {self.template}", hint=template.STICKY)

    def text(self, target: Manifest) -> str:
        """Return the text for a table: a function of configuration and table alone."""
        version = self.binary().version
        upstreams = addresses.of(target, self.paths.current)
        keys = sticky.Keys(self.mark(), sticky.chosen(self.config.apps, upstreams))
        values, binding = {template.PID_FILE: self.pid_file, PLACEHOLDER: self._http_lines(keys)}, {}
        for name, servers in upstreams.items():
            values[f"{name}.servers"] = upstream.servers(servers, version, key=keys.of(name))
            binding[f"{name}.servers"] = upstream.servers(servers, version, backups=False)
            port = target.of(name)[0].port
            if port is not None:
                values[name] = str(port)
        classic = all(service.kind == "classic" for service in self.config.services.values())
        return self.mark().seal(template.render(self._source(), values, values | binding, everywhere=classic))

    def _access_format(self) -> AccessFormat | None:
        mark = self.mark()
        return AccessFormat(mark.name, mark=mark) if self.config.nginx.access_log else None

    def directives(self) -> list[Directive]:
        """Return the template's directives, with marks for the services and with the included files."""
        return self._expanded().directives

    def worker_user(self) -> str:
        """Return the user that the template names, or the compiled-in one."""
        return parse.value(self.directives(), "user", default=self.binary().user)

    def listen(self) -> list[str]:
        """Return the addresses of the template."""
        return [listen.written(address) for address in sorted(listen.sockets(self.directives()))]

    def of_both_families(self) -> set[int]:
        """Return the ports of which one socket is to take IPv6 and IPv4."""
        return listen.of_both_families(self.directives())

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        """Return a request that arrives at each service by what the template says, or why there is none."""
        from zdd.nginx.config import visit  # here, because only the gate and `check` ask

        port = 80 if os.geteuid() == 0 else 8000
        wanted = visit.wishes({name: self.config.services[name] for name in services})
        text = self.directives()
        found = visit.find(text, wanted, named=False, port=port)
        lost = {name: wish for name, wish in wanted.items() if found[name] is visit.Unknown.NOWHERE}
        return {**found, **visit.guesses(text, lost, port)}

    def doors(self) -> list[Visit]:
        """Return the requests to the services."""
        return [visit for visit in self.requests(list(self.config.services)).values() if isinstance(visit, Visit)]

    def require_page(self) -> None:
        """Raise UsageError where the template does not look for the maintenance page."""
        page = self.paths.maintenance
        if page not in self._source():
            hint = f"put this into its server block and deploy:\n{maintenance.shown(page)}"
            raise UsageError(f"{self.template} does not look for {page}", hint=hint)

    def findings(self) -> Iterator[Finding]:
        """Yield what loses requests, or surprises later, in the template."""
        from zdd.nginx.config import lint  # here, because only `check` asks

        services = lint.served(self.config.services)
        yield from lint.names(template.mentions(self._source(), self.config.services), services)
        expanded = self._expanded()
        text = expanded.directives
        yield from lint.unread(expanded.unread, self.template)
        named = [directive.args[0] for directive in parse.at(text, "pid")]
        if [os.path.join(self.prefix, path) for path in named] != [self.pid_file]:
            yield error(
                f"the template's pid is {named[0] if named else 'not set'}, and pid_file {self.pid_file}",
                "zdd would not find nginx, and start a second one",
                f"write pid {{{template.PID_FILE}}}; in the template",
            )
        passes = targets.passes(text, services, named=False)
        yield from lint.judge(text, self.binary().version, services, passes)
        yield from access.unlogged(text, self.config.nginx.access_log, self._access_format())
        yield from lint.hidden([one for one in passes if one.service in self.config.apps], self.mark())

    def _http_lines(self, keys: sticky.Keys) -> str:
        """Return what `{zdd.mark}` stands for: the mark, the keys of sticky services, and the access log's format."""
        form, maps = self._access_format(), (line.rstrip("\n") for line in keys.maps())
        return "\n".join([*maps, self.mark().lines(), *([form.lines()] if form else [])])

    def _expanded(self) -> include.Expanded:
        """Return the whole configuration, with marks for the services, in the template's lines."""
        values = targets.marks(self.config.services, self.binary().version)
        keys = sticky.Keys(self.mark(), sticky.chosen(self.config.apps, self.config.apps))
        values |= {template.PID_FILE: self.pid_file, PLACEHOLDER: self._http_lines(keys).replace("\n", " ")}
        text = template.render(self._source(), values)
        return include.expand(text, self.template, conf_file.included, os.path.dirname(self.paths.nginx_conf))

    def _source(self) -> str:
        """Return the template. Raises UsageError where it cannot be read."""
        try:
            text = files.read(self.template)
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise UsageError(f"cannot read template {self.template}: {reason}") from problem
        if text is None:
            raise UsageError(f"cannot read template {self.template}: no such file")
        return text
