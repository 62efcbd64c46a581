"""What zdd's own text needs: from nginx's program, and from the lines that the user has written for it."""

from __future__ import annotations

from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.nginx.config import grpc, server_lines
from zdd.nginx.config.trust import Trust
from zdd.nginx.process.binary import Binary
from zdd.paths import Paths

_TLS_MODULES = ("http_ssl_module", "http_v2_module")


def require(config: Config, paths: Paths, program: Binary, trust: Trust) -> None:
    """Raise UsageError for lines that cannot stand in a server block, and for what this program cannot do."""
    nginx = config.nginx
    if problem := server_lines.problem(nginx.server_lines):
        what, hint = problem
        raise UsageError(f"{nginx.server_include}, {what}", hint=hint)
    if trust.needs_realip and program.lacks("http_realip_module"):
        raise UsageError(
            f"{program.path} was built without its realip module, which finds the client behind a proxy",
            hint='install an nginx that has it, such as your system\'s; or set trusted_proxies = "none" in [nginx]',
        )
    callers = [app.name for app in config.apps.values() if app.protocol == "grpc"]
    if callers and not nginx.is_tls and (old := grpc.problem(program.version)):
        raise UsageError(f"{', '.join(callers)}: {old}, so gRPC clients could not call", hint=grpc.WAYS)
    if nginx.is_tls:
        _require_tls(config, paths, program)


def _require_tls(config: Config, paths: Paths, program: Binary) -> None:
    """Raise UsageError where nginx cannot speak HTTPS, or has no certificate to start with."""
    from zdd.nginx.certificates import choice  # here, because without HTTPS there are none

    for module in _TLS_MODULES:
        if program.lacks(module):
            raise UsageError(
                f"nginx at {program.path} was built without {module}, which HTTPS needs",
                hint="install the distribution's (`apt install nginx`), or set binary in [nginx]",
            )
    choice.require(config, paths)
