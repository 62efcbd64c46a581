"""Reads the sections of a Document into what they mean, and collects every mistake on the way."""

import re
from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from zdd.conf import check, check_clients, check_static, check_tls
from zdd.conf.document import Broken, Document
from zdd.conf.kinds import Kind
from zdd.conf.nginx_section import NginxSection
from zdd.conf.readers import KindError
from zdd.conf.refusals import Refusal, Refusals
from zdd.conf.schema import SCHEMAS, ReleaseSection, ZddSection, fields_of, keys
from zdd.conf.services import ClassicService, RunService, Service, StaticService

S = TypeVar("S", bound=Struct)
_ANY = "-"  # stands for a required value that is missing or wrong, which is a mistake already


class Sections:
    """
    What the sections of a document say.

    A value that is wrong, or that is required and missing, is one mistake: another value takes its place, and what
    follows from that value only is not reported.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.refusals = Refusals()
        self._wrong: dict[str, set[str]] = {}  # for each section, the keys whose values are not what the file says
        self.refusals.add(document.refused)

    def services(self) -> dict[str, Service]:
        """Return the services, in the order of the file."""
        prefix = self.document.service_prefix
        titles = [title for title in self.document.sections if title.startswith(prefix)]
        return {title.removeprefix(prefix): self._service(title) for title in titles}

    def zdd(self) -> ZddSection:
        """Return the section [zdd]."""
        return self._section("zdd", ZddSection)

    def release(self) -> ReleaseSection | None:
        """Return the section [release], None if there is none."""
        return self._section("release", ReleaseSection) if "release" in self.document.sections else None

    def nginx(self, services: dict[str, Service]) -> NginxSection:
        """Return the section [nginx], checked against the services."""
        listens = "listen" in self.document.sections.get("nginx", {})
        nginx = check_tls.with_defaults(self._section("nginx", NginxSection, listen_is_set=listens))
        self._check(check.nginx(self.document, nginx, services))
        self._check(check_static.services(self.document, nginx, services))
        with self.refusals.collected():
            return replace(nginx, server_lines=check_clients.server_lines(self.document, nginx))
        return nginx

    def ignored(self) -> list[str]:
        """Return the unknown keys of classic sections; any other unknown section is a mistake."""
        ignored, document = [], self.document
        for title, given in document.sections.items():
            schema = ClassicService if title.startswith(document.service_prefix) else SCHEMAS.get(title)
            if title not in document.classic:
                if not schema:
                    from zdd.conf.unknown import unknown_section  # here, because it is slow to load

                    self.refusals.add([unknown_section(document, title)])
            elif not schema:
                ignored.append(f"[{title}]")
            elif unknown := given.keys() - self._known(title, schema) - document.quiet[title]:
                ignored.append(f"[{title}] " + ", ".join(key for key in given if key in unknown))
        return ignored

    def _service(self, title: str) -> Service:
        document = self.document
        name = title.removeprefix(document.service_prefix)
        given = document.sections[title]
        if title not in document.classic and "static" in given:
            return self._static(title, name)
        if title not in document.classic and "run" in given and "start" in given:
            what = "run and start exclude each other: run stays in the foreground, start does not"
            self.refusals.add([document.error(title, what, key="start")])
            return RunService(name=name, run=_ANY, socket="none")  # which of both is meant is unknown
        if title in document.classic or "start" in given:
            self.refusals.add(check.classic_name(document, title, name))
            return self._section(title, ClassicService, name=name, cwd=document.path.parent)
        self.refusals.add(check.run_name(document, title, name))
        service = self._section(title, RunService, name=name)
        self._check(check.run_service(document, title, service))
        return replace(service, keep_warm=0.0) if service.socket == "none" and "keep_warm" not in given else service

    def _static(self, title: str, name: str) -> Service:
        self.refusals.add(check.run_name(self.document, title, name))
        if others := [key for key in ("run", "start") if key in self.document.sections[title]]:
            self.refusals.add([check_static.with_program(self.document, title, others[0])])
            self._wrong[title] = {"static"}
            return StaticService(name=name, static=_ANY)  # which of both is meant is unknown
        return self._section(title, StaticService, name=name)

    def _section(self, title: str, schema: type[S], **defaults: object) -> S:
        """Return the section as a `schema`, with `defaults` for keys whose default the schema does not know."""
        kinds = self._known(title, schema)
        given = self.document.sections.get(title, {})
        wrong = self._wrong.setdefault(title, set())
        values = defaults | self._values(title, {key: given[key] for key in given if key in kinds}, kinds)
        meant: set[str | None] = set()
        if title not in self.document.classic:
            meant = self._refuse_unknown(title, [key for key in given if key not in kinds], schema)
        required = [name for name in _required(schema) if name not in values]
        missing = [name for name in required if name not in wrong]
        if missing and meant.isdisjoint(missing):
            what = "run, or static, or else start, stop and pid_file" if missing == ["run"] else " and ".join(missing)
            self.refusals.add([self.document.error(title, f"needs {what}")])
        wrong.update(missing)
        return schema(**dict.fromkeys(required, _ANY), **values)

    def _values(self, title: str, given: dict[str, object], kinds: dict[str, Kind]) -> dict[str, object]:
        """Return what the values mean, without those that are wrong."""
        values = {}
        for key, raw in given.items():
            # The old tool read an empty cwd as the folder, so in classic sections an empty value means the default.
            if title in self.document.classic and raw == "":
                continue
            try:
                values[key] = self._value(title, key, raw, kinds[key])
            except _Wrong as wrong:
                self.refusals.add(wrong.refusals)
                self._wrong[title].add(key)
        return values

    def _value(self, title: str, key: str, raw: object, kind: Kind) -> object:
        """Return what the value means. Raises _Wrong."""
        document = self.document
        if isinstance(raw, Broken):
            raise _Wrong(*([document.error(title, f"{key}: {raw.reason}", key=key)] if raw.reason else []))
        try:
            return kind.reader.read(raw, document)
        except KindError as error:
            setting = document.setting(key, error.value)
            advice = document.advice(error.why, error.instead)
            what = f"{setting} is not allowed; it must be {kind.allowed}{advice}"
            raise _Wrong(document.error(title, what, key=key)) from None

    def _refuse_unknown(self, title: str, unknown: list[str], schema: type[Struct]) -> set[str | None]:
        """Refuse keys that the schema does not know; return those that were probably meant."""
        if not unknown:
            return set()
        from zdd.conf.unknown import meant_key, unknown_key  # here, because it is slow to load

        self.refusals.add(unknown_key(self.document, title, key, schema) for key in unknown)
        return {meant_key(self.document, key, schema) for key in unknown}

    def _known(self, title: str, schema: type[Struct]) -> dict[str, Kind]:
        """Return the keys that are valid in a section."""
        kinds = keys(schema)
        if title == "nginx" and title in self.document.classic:
            # The old tool had two keys. Newer keys count only in this section: in [DEFAULT] they are variables.
            count = {"template", "pid_file"} | ({"binary", "user"} - self.document.quiet[title])
            return {key: kind for key, kind in kinds.items() if key in count}
        return kinds

    def _check(self, refusals: Iterable[Refusal]) -> None:
        """Collect contradictions, but none that a wrong value takes part in: a message names all of its keys."""
        for refusal in refusals:
            wrong = self._wrong.get(refusal.section or "", set()) | self._wrong.get("nginx", set())
            if wrong.isdisjoint(re.findall(r"\w+", refusal.what)):
                self.refusals.add([refusal])


class _Wrong(Exception):  # noqa: N818  (what the value is)
    """The value is wrong; there is no refusal if that is reported already."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__(*refusals)
        self.refusals = refusals


def _required(section: type[Struct]) -> list[str]:
    """Return the fields of a section that have no default."""
    return [field.name for field in fields_of(section) if field.required]
