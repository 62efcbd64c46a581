"""What a static service needs from the rest of the configuration. Every function yields all the errors it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zdd.conf.document import Document
from zdd.conf.nginx_section import NginxSection
from zdd.conf.refusals import Refusal
from zdd.conf.services import Service, static


def with_program(document: Document, section: str, key: str) -> Refusal:
    """Return the error for a service that has `static` and a key that starts a program."""
    what = f"static and {key} exclude each other: a static service is a folder, which nginx serves without a program"
    return document.error(section, what, key=key)


def services(document: Document, nginx: NginxSection, services: Mapping[str, Service]) -> Iterator[Refusal]:
    """Check what the static services need of [release] and [nginx]."""
    owner = nginx.owner
    for name, service in static(services).items():
        section = document.service_prefix + name
        if "$" in service.path:
            what = f"{document.setting('path', service.path)} is not allowed for a static service: without $"
            yield document.error(section, what, key="path")
        if "release" not in document.sections:
            source, folder = document.setting("source", "."), service.static
            what = f"static needs a [release] section, with {source} and the build commands that make {folder}"
            hint = "the folder of each release is kept, so that a deploy and a rollback switch it as a whole"
            yield document.error(section, what, key="static", hint=hint)
        if owner:
            what = f"static needs zdd's own nginx text, and here is {owner} in [nginx]"
            hint = f"there, `root` can name the folder: that is current/{service.static} in state_dir"
            yield document.error(section, what, key="static", hint=hint)
