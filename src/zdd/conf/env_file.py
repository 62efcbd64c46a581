"""The file that a service's `env_file` names."""

from pathlib import Path

from zdd.errors import UsageError


def read(path: Path) -> dict[str, str]:
    """
    Read NAME=VALUE lines: blank ones and those beginning with # are skipped, `export ` and one pair of quotes dropped.

    Raises UsageError for a file that cannot be read and for a line that is none of these.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read env_file {path}: {getattr(error, 'strerror', None) or error}") from error
    env = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"{path}, line {number}: want NAME=VALUE")  # without the line: it may be a secret
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        env[name.strip()] = value[1:-1] if quoted else value
    return env
