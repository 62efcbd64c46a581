"""
Builds the wheel of the old program that `tests/upgrade` installs beside the tree under test.

`python -m tools.old_wheel` builds it from the commit in git, with pip, which may fetch setuptools for it. The wheel is
kept in the tree: the tests need neither git's history nor a network.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMIT = "6750a09f755a27d7d2369e2e62b652f38dc7c666"
WHEEL = ROOT / "tests/upgrade/zddeploy-0.1.0-py3-none-any.whl"


def main() -> None:
    """Build the wheel and put it in its place."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", COMMIT], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, str(source)]
        subprocess.run(command, env=os.environ | {"SOURCE_DATE_EPOCH": _committed()}, check=True)
        built = Path(folder, WHEEL.name)
        WHEEL.write_bytes(built.read_bytes())
    print(f"{WHEEL.relative_to(ROOT)}: {WHEEL.stat().st_size} bytes")


def _committed() -> str:
    """Return when the commit was made: files in the wheel have this time, so that it can be built again as it is."""
    command = ["git", "-C", str(ROOT), "show", "-s", "--format=%ct", COMMIT]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
