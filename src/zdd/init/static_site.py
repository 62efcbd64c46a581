"""Recognizes projects of which a build makes a folder of files, and nothing runs."""

from __future__ import annotations

from typing import NamedTuple

from zdd.init.folder import Folder
from zdd.init.proposal import Service


class Site(NamedTuple):
    """What makes it, for people, and its service."""

    what: str
    service: Service


# What makes it, the folder that it writes to by default, and whether one page shows all paths.
_MAKERS = {
    "astro": ("Astro", "dist", False),
    "gatsby": ("Gatsby", "public", False),
    "@11ty/eleventy": ("Eleventy", "_site", False),
    "react-scripts": ("Create React App", "build", True),
    "@vue/cli-service": ("Vue CLI", "dist", True),
    "vite": ("Vite", "dist", True),
    "parcel": ("Parcel", "dist", True),
}
_SERVERS = ("next", "nuxt", "express", "fastify", "koa", "hono", "h3", "@nestjs/core", "@hapi/hapi", "@sveltejs/kit")
_RENDERERS = ("@remix-run/node", "@react-router/node", "@astrojs/node", "@tanstack/react-start", "vike")


def recognize(folder: Folder) -> Site | None:
    """Return the site that the build script makes; None where a server is among the packages, or nothing is known."""
    packages = folder.package_table("dependencies") | folder.package_table("devDependencies")
    maker = next((made for name, made in _MAKERS.items() if name in packages), None)
    serves = any(name in packages for name in (*_SERVERS, *_RENDERERS))
    if maker is None or serves or "build" not in folder.package_table("scripts"):
        return None
    what, output, is_spa = maker
    keys: dict[str, object] = {"static": output, **({"spa": True} if is_spa else {})}
    comments = {"static": f"where {what} writes to unless it is configured otherwise"}
    comments |= {"spa": "unknown paths are answered with index.html"} if is_spa else {}
    return Site(what, Service("site", keys, comments))
