"""
gunicorn as zdd's classic contract wants it.

Each start is a new instance on a port of the system's choosing. gunicorn writes the master's pid to gunicorn.pid,
the hooks below write the port to PID.port beside it and remove it at the end.
"""

import os
from pathlib import Path

# -D sends the traceback of a release that cannot be imported to the log and `start` exits with 0; imported here,
# before gunicorn goes to the background, `start` itself fails and shows it. (Not for an app that starts threads or
# opens connections when it is imported.)
import app  # noqa: F401

bind = "127.0.0.1:0"
pidfile = "gunicorn.pid"
errorlog = "gunicorn.log"
workers = 2

# Threads, because a sync worker keeps no connection open. A stopping gthread worker answers what it has accepted.
worker_class = "gthread"
threads = 16

keepalive = 5  # seconds, more than nginx's keepalive_timeout: see nginx.conf.template
graceful_timeout = 30  # what requests in flight get after WINCH or TERM

# Its default path is one for all gunicorns of a user: the new instance would take the old one's socket away.
control_socket_disable = True


def post_worker_init(worker):
    """A worker has loaded the app: now, not earlier, the instance may be found."""
    port = worker.sockets[0].getsockname()[1]
    temporary = Path(f"{worker.pid}.port.tmp")
    temporary.write_text(f"{port}\n")
    temporary.replace(port_file(worker.cfg, worker.ppid))


def on_exit(server):
    port_file(server.cfg, server.pid).unlink(missing_ok=True)


def port_file(cfg, pid):
    return Path(cfg.pidfile).with_name(f"{pid}.port")
