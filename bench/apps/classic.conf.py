# The classic contract: a worker that has loaded the app says so by a file.
from pathlib import Path

threads = 16
keepalive = 5
errorlog = "gunicorn.log"
control_socket_disable = True


def post_worker_init(worker):
    Path("port").write_text(str(worker.sockets[0].getsockname()[1]))
