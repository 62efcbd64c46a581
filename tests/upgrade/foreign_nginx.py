"""An nginx that the test runs, as a distribution would: zddeploy writes a file that it includes, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.system.foreign_nginx import CONF, PATH, started
from tests.system.project import Project
from zdd.host import process
from zdd.host.process import Process


class ForeignNginx:
    """It runs from the start; the user adds the server block once the first deploy has written the upstreams."""

    def __init__(self, project: Project) -> None:
        self.folder = project.folder
        self.port = project.port
        main = project.write("nginx.main", CONF.replace("FOLDER", str(self.folder)).replace("USER", "www-data"))
        subprocess.run(["nginx", "-c", str(main)], env=os.environ | {"PATH": PATH}, check=True, capture_output=True)
        self.master = started(self.pid_file)

    @property
    def pid_file(self) -> Path:
        return self.folder / "nginx.pid"

    @property
    def section(self) -> str:
        """The [nginx] section of a project behind it."""
        test, reload = f"nginx -t -q -c {self.folder}/nginx.main", f"kill -HUP {self.master}"
        keys = {"include": "upstreams.conf", "test": test, "reload": reload, "pid_file": str(self.pid_file)}
        return "[nginx]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())

    def pids(self) -> set[int]:
        """The master and its workers."""
        return {self.master, *process.descendants(self.master)}

    def lead(self, routes: dict[str, str]) -> None:
        """Have it lead to the services."""
        locations = "".join(f"location {path} {{ proxy_pass http://{name}; }}\n" for name, path in routes.items())
        text = f"server {{\nlisten 127.0.0.1:{self.port};\n{locations}}}\n"
        (self.folder / "site.conf").write_text(text)
        subprocess.run(["kill", "-HUP", str(self.master)], check=True)

    def stop(self) -> None:
        """End it at once; it ends its workers itself, for it would replace those that others ended."""
        if found := Process.find(self.master):
            found.signal(signal.SIGTERM)
            assert found.wait(30), "nginx does not end"
