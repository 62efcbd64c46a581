import pytest

from zdd.conf import units
from zdd.conf.units import Statuses


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h", 3600), ("90", 90), ("1.5", 1.5), ("0.5h", 1800), ("0", 0)],
)
def test_a_duration_is_read_as_seconds(text: str, expected: float) -> None:
    assert units.seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1 s", "1d", "1h30m", "nan", "inf", "1e3", "5M", "٣s", "99999999h", "1s\n"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        units.seconds(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (1.5, "1500ms"),
        (30, "30s"),
        (90, "90s"),
        (120, "2m"),
        (7200, "2h"),
        (0.0001, "0.1ms"),
    ],
)
def test_seconds_are_shown_as_they_are_written(amount: float, text: str) -> None:
    assert units.duration(amount) == text


@pytest.mark.parametrize("amount", [0.001, 0.25, 59, 61, 86400, 1234567, 314496000.0])
def test_a_duration_that_is_shown_reads_as_itself(amount: float) -> None:
    assert units.seconds(units.duration(amount)) == amount


@pytest.mark.parametrize("text", ["0", "513", "4K", "64M", "1G", "1025M"])
def test_a_size_is_shown_as_it_is_written(text: str) -> None:
    assert units.size_text(units.size(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("512", 512), ("4k", 4096), ("64M", 64 << 20), ("100m", 100 << 20), ("1G", 1 << 30)],
)
def test_a_size_is_read_as_bytes(text: str, expected: int) -> None:
    assert units.size(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-1", "1.5g", "64MB", "1 k", "1T"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        units.size(text)


def test_statuses_allow_what_is_in_one_of_their_ranges() -> None:
    statuses = Statuses.parse("200, 301-302,404")

    assert [code for code in range(100, 600) if statuses.allows(code)] == [200, 301, 302, 404]


@pytest.mark.parametrize("text", ["200", "200-299", "200,301-302"])
def test_statuses_are_shown_as_they_were_written(text: str) -> None:
    assert str(Statuses.parse(text)) == text


@pytest.mark.parametrize("text", ["", "2xx", "99", "600", "299-200", "200,", "200-", "200-299-300"])
def test_what_are_no_statuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Statuses.parse(text)
