"""Containers without a registry: an image made of this machine's Python, and podman set up to run in a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

IMAGE = "localhost/zdd-test"

# A test machine may be a container itself: its limits cannot be raised, and its cgroups be such as crun refuses.
_CONFIGURATION = """\
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
runtime = "crun"
[engine.runtimes]
crun = ["{folder}/crun"]
"""
_CRUN = """\
#!/bin/sh
exec unshare -m sh -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec crun "$@"' crun "$@"
"""


class Containers:
    """Podman's configuration in a folder of its own, and the image; `end` removes both."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zdd", dir="/tmp"))
        self.environment = {"CONTAINERS_CONF": f"{self.folder}/containers.conf"}
        (self.folder / "containers.conf").write_text(_CONFIGURATION.format(folder=self.folder))
        (self.folder / "crun").write_text(_CRUN)
        (self.folder / "crun").chmod(0o755)

    def obstacle(self) -> str | None:
        """Make the image; returns why no container of it can run here, None when one has."""
        if os.geteuid() != 0 or not shutil.which("podman") or not Path("/usr/bin/python3").exists():
            return "needs root, podman, crun and Debian's Python"
        self._make_image()
        run = self._podman("run", "--rm", IMAGE, "python3", "-c", "print('ran')")
        return None if run.stdout == "ran\n" else f"podman cannot run here: {run.stderr.strip()[-200:]}"

    def end(self) -> None:
        self._podman("rmi", "--force", IMAGE)
        shutil.rmtree(self.folder)

    def _make_image(self) -> None:
        root = self.folder / "root"
        python = Path("/usr/bin/python3").resolve()
        libraries = [word for word in _run("ldd", str(python)).stdout.split() if word.startswith("/")]
        for path in libraries:
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        (root / "usr/bin").mkdir(parents=True, exist_ok=True)
        (root / "tmp").mkdir()
        shutil.copy(python, root / "usr/bin/python3")
        unneeded = shutil.ignore_patterns("test", "__pycache__", "config-*", "idlelib", "lib2to3", "dist-packages")
        shutil.copytree(f"/usr/lib/{python.name}", root / f"usr/lib/{python.name}", ignore=unneeded)
        _run("tar", "-C", str(root), "-cf", f"{self.folder}/root.tar", ".")
        self._podman("import", "--change", "ENV PATH=/usr/bin", f"{self.folder}/root.tar", IMAGE)

    def _podman(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run("podman", *words, env=os.environ | self.environment)


def _run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
