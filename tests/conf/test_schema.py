from typing import get_args

import pytest
from msgspec import Meta, Struct
from msgspec.structs import fields

from zdd.conf.schema import SCHEMAS, keys
from zdd.conf.services import ClassicService, RunService

SECTIONS = [*SCHEMAS.values(), ClassicService, RunService]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_says_what_it_means_and_what_is_allowed(section: type[Struct]) -> None:
    for one in fields(section):
        # These come from the section's title, from whether it has a key, and from the file that a key names.
        if one.name in ("name", "listen_is_set", "server_lines"):
            continue
        described = [meta for meta in get_args(one.type) if isinstance(meta, Meta) and meta.description]

        assert described, one.name
        assert keys(section)[one.name].allowed, one.name


def test_a_service_s_name_is_no_key() -> None:
    assert "name" not in keys(RunService)
    assert "name" not in keys(ClassicService)
