from __future__ import annotations

from zdd.host.command import Commands


def test_of_output_without_end_the_end_is_read() -> None:
    result = Commands().run(["/bin/sh", "-c", "head -c 40000000 /dev/zero; echo the end"])

    assert result.output.endswith("the end\n")
    assert len(result.output) == 1 << 24
