"""
A small web service that follows zdd's classic contract, run by twistd.

It listens on a port of the system's choosing, writes that to PID.port and its pid to twisted.pid, and ends gracefully
on SIGTERM. It writes its pid itself (`twistd --pidfile=`): at its exit twistd removes the pid file whoever it names,
and when an old instance exits the file names the new one.
"""

import os
from pathlib import Path

from twisted.application.service import Application, Service
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

LINGER = 2  # seconds that all goes on after SIGTERM: nginx closes the idle connections of its pool within 1 s
GRACE = 30  # seconds that connections still open get after that
VERSION = Path("VERSION").read_text().strip()


class App(Resource):
    isLeaf = True

    def render(self, request):
        request.setHeader("Content-Type", "text/plain")
        request.setHeader("X-Release", VERSION)
        match request.method, request.path:
            case b"GET", b"/":
                return f"Hello from twisted, version {VERSION}\n".encode()
            case b"GET", b"/health":
                return b"ok\n"
            case b"GET", b"/slow":
                return slow(request)
            case b"POST", b"/echo":
                return request.content.read()
        request.setResponseCode(404)
        return b"not found\n"


def slow(request):
    """Answer after `seconds`, at most 10 of them."""
    try:
        seconds = min(10, max(0, float(request.args.get(b"seconds", [b"0.5"])[0])))
    except ValueError:
        request.setResponseCode(400)
        return b"seconds must be a number\n"

    def answer():
        request.write(f"slept {seconds} s\n".encode())
        request.finish()

    waiting = reactor.callLater(seconds, answer)
    request.notifyFinish().addErrback(lambda _: waiting.cancel())  # the client has left
    return NOT_DONE_YET


class Instance(Service):
    """The service as zdd sees it: a pid, a port, and a stop that loses no request."""

    pid_file = Path("twisted.pid")

    def startService(self):
        self.site = WrappingFactory(Site(App()))  # knows the open connections
        self.listener = reactor.listenTCP(0, self.site, backlog=511, interface="127.0.0.1")
        self.port_file = Path(f"{os.getpid()}.port")
        write(self.port_file, self.listener.getHost().port)  # first: whoever finds the pid finds the port
        write(self.pid_file, os.getpid())

    def stopService(self):
        return ensureDeferred(self.drain())  # twistd waits for it

    async def drain(self):
        await deferLater(reactor, LINGER)
        await self.listener.stopListening()
        deadline = reactor.seconds() + GRACE
        while self.site.protocols and reactor.seconds() < deadline:
            await deferLater(reactor, 0.1)
        self.port_file.unlink(missing_ok=True)
        if self.pid_file.exists() and int(self.pid_file.read_text()) == os.getpid():
            self.pid_file.unlink()


def write(path, number):
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    temporary.write_text(f"{number}\n")
    temporary.replace(path)


Site.log = lambda self, request: None  # nginx writes the access log
application = Application("zdd-sample")
Instance().setServiceParent(application)
