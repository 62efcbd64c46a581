"""What a folder is taken for."""

from __future__ import annotations

from zdd.init.folder import Folder
from zdd.init.node import node
from zdd.init.procfile import procfile
from zdd.init.proposal import Proposal
from zdd.init.python import application, django
from zdd.init.ruby import ruby

LOOKED_FOR = "Django, FastAPI, Starlette, Litestar, Quart, Flask, Rails, Rack, package.json, Procfile"


def propose(folder: Folder) -> Proposal | None:
    """Return what is proposed for it, None for a folder that nothing is known of."""
    known = next((found for look in (django, application, ruby, node) if (found := look(folder))), None)
    return procfile(folder, known)
