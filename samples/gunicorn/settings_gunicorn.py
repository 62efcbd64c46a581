"""
gunicorn as zdd's classic contract wants it.

Each start is a new instance on a port of the system's choosing. gunicorn writes the master's pid to gunicorn.pid,
the hooks below write the port to PID.port beside it and remove it at the end.

`kill -WINCH` stops the workers and leaves the master, with its listening socket: whoever connects now is never
answered (measured), so it may come only when no old nginx worker is left. zdd ends the master at the next deploy.
"""

from pathlib import Path

# -D would hide the traceback of a release that cannot be imported and exit with 0. Imported here, before gunicorn goes
# to the background, `start` itself fails and shows it. (Not for an app whose import starts threads or connections.)
import app  # noqa: F401

bind = "127.0.0.1:0"
pidfile = "gunicorn.pid"
errorlog = "gunicorn.log"
workers = 2

# Measured with 27.0.1: stopped with 60 requests in hand, gthread answered all, and one more on an idle connection. sync
# leaves what is queued in the kernel to nobody: 12 of 12 were never answered, then reset when the master ended.
worker_class = "gthread"
threads = 16

keepalive = 5  # seconds, more than nginx's keepalive_timeout: see nginx.conf.template
graceful_timeout = 30  # seconds that requests in flight get after WINCH or TERM

# Its default path is the same for all gunicorns of a user, the old instance and the new one.
control_socket_disable = True


def post_worker_init(worker):
    """A worker has loaded the app: now, and not earlier, the instance may be found."""
    port = worker.sockets[0].getsockname()[1]
    temporary = Path(f"{worker.pid}.port.tmp")
    temporary.write_text(f"{port}\n")
    temporary.replace(port_file(worker.cfg, worker.ppid))


def on_exit(server):
    """The master has stopped; gunicorn itself removes the pid file, unless it names another by now."""
    port_file(server.cfg, server.pid).unlink(missing_ok=True)


def port_file(cfg, pid):
    return Path(cfg.pidfile).with_name(f"{pid}.port")
