"""GET / and /slow, POST /echo; it tells with which deploy it came."""

import os

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

DEPLOY = os.environ.get("ZDD_DEPLOY", "0")


class Site(Resource):
    isLeaf = True

    def render(self, request):
        request.setHeader("X-Deploy", DEPLOY)
        body = request.content.read() or b"hello\n"
        if request.path != b"/slow":
            return body
        deferLater(reactor, 0.5, lambda: (request.write(body), request.finish()))
        return NOT_DONE_YET
