"""Every path of a project, spelled once: below S, the state, which survives a reboot, and R, the runtime folder."""

from __future__ import annotations

import os
import re


class Layout:
    """The paths of a project whose S and R are known; `nginx_conf` is what our nginx reads, if not zdd's text."""

    def __init__(self, state: str, runtime: str, nginx_conf: str | None = None) -> None:
        self.state = state
        self.runtime = runtime
        self.logs = f"{self.state}/logs"
        self.history = f"{self.state}/history.jsonl"
        self.environment = f"{self.state}/environment.json"
        self.deploys = f"{self.state}/deploys"
        self.releases = f"{self.state}/releases"
        self.assets = f"{self.state}/assets"
        self.static = f"{self.state}/static"  # files of static services whose names tell their content, of all releases
        self.static_times = f"{self.state}/static.times"  # the last modification time that a static file has been given
        self.lock = f"{self.runtime}/lock"
        self.owner = f"{self.runtime}/owner"
        self.control = f"{self.runtime}/control"
        self.instances = f"{self.runtime}/instances"
        self.tables = f"{self.runtime}/tables"
        self.current = f"{self.runtime}/current"
        self.maintenance = f"{self.runtime}/maintenance"
        self.gate = f"{self.state}/gate"  # the secret words by which nginx says which text it runs
        self.code = f"{self.state}/code.json"
        self.kills = f"{self.state}/kills.jsonl"  # what did not stop in time
        self.down = f"{self.state}/down"  # a person has taken the project down
        self.release = f"{self.state}/current"
        self.mirror = f"{self.state}/repo.git"
        self.shared = f"{self.state}/shared"
        self._of_nginx(nginx_conf)

    def _of_nginx(self, nginx_conf: str | None) -> None:
        self.nginx = f"{self.state}/nginx"
        self.nginx_conf = nginx_conf or f"{self.nginx}/nginx.conf"  # what an nginx of ours reads
        self.nginx_pid = f"{self.runtime}/nginx.pid"
        self.nginx_seen = f"{self.runtime}/nginx.seen"  # for keepers: the number of an nginx whose pid file is unknown
        self.nginx_last_text = f"{self.state}/nginx.told"  # the text that zdd last gave nginx
        self.nginx_tails = f"{self.state}/nginx.tails"  # of the texts that it was made to run before
        self.nginx_about = f"{self.state}/nginx.about"  # what its program has said of itself, with -V
        self.nginx_temp = f"{self.nginx}/temp"
        self.nginx_log = f"{self.logs}/nginx.log"
        self.certificates = f"{self.state}/certificates"  # with their keys: 0700
        self.acme = f"{self.state}/acme"  # what nginx answers a certificate authority
        self.certbot = f"{self.state}/certbot"  # certbot's own folders, with its keys: 0700
        self.access_logs = f"{self.logs}/access"  # a folder that nginx's workers can pass
        self.access_log = f"{self.access_logs}/access.log"
        self.publishes = f"{self.logs}/publishes.jsonl"  # which table was in force when
        self.nginx_trial = f"{self.state}/nginx.trial"  # a text for somebody else's nginx, while it is tested

    def control_socket(self, name: str) -> str:
        """Return the socket on which the instance's keeper answers."""
        return f"{self.control}/{name}.sock"

    def record(self, name: str) -> str:
        """Return the file with what the instance's keeper runs."""
        return f"{self.control}/{name}.json"

    def pids(self, name: str) -> str:
        """Return the file in which the instance's keeper records the processes."""
        return f"{self.control}/{name}.pids"

    def classic_record(self, name: str) -> str:
        """Return the record of a classic instance."""
        return f"{self.control}/{name}.classic"

    def table(self, name: str | int) -> str:
        """Return the folder of a table."""
        return f"{self.tables}/{name}"

    def instance(self, name: str) -> str:
        """Return the instance's own folder."""
        return f"{self.instances}/{name}"

    def socket(self, name: str) -> str:
        """Return the path that slots lead to: the instance's socket, or another one while requests are held."""
        return f"{self.instances}/{name}/{'sock/' if self.is_of_0_1(name) else ''}socket"

    def leads(self, name: str) -> str:
        """Return the path that a slot leads to: an instance's socket, or a static service's folder in a release."""
        return f"{self.state}/{name}" if "/" in name else self.socket(name)

    def slot_link(self, name: str) -> str:
        """Return the same as a slot in a table's folder has it: relative to that inside R."""
        leads = self.leads(name)
        return f"../../../{leads.removeprefix(f'{self.runtime}/')}" if "/" not in name else leads

    def led(self, path: str) -> str:
        """Return what a slot with this link leads to, as `leads` is given it: an instance, or a folder below S."""
        folder = path.removeprefix(f"{self.state}/releases/")
        return path.partition("/instances/")[2].partition("/")[0] if folder == path else f"releases/{folder}"

    def keep(self, name: str) -> str:
        """Return the keeper's own name for the instance's socket, which no app can change."""
        folder = self.instance(name)
        if not self.is_of_0_1(name):
            return f"{folder}/keep"
        names = [entry for entry in os.listdir(folder) if re.fullmatch(r"name(\.[0-9]+)?", entry)]
        return f"{folder}/{max(names, key=lambda entry: int(entry[5:] or 0), default='name')}"

    def waiting(self, name: str) -> str:
        """Return the socket in which the instance's requests are held."""
        return f"{self.instance(name)}/waiting"

    def app_folder(self, name: str) -> str:
        """Return the prefix of the app's own folders; a dot and a number follow it."""
        return f"{self.instance(name)}/app"

    def app_socket(self, name: str) -> str:
        """Return the path at which an app binds its socket if it does so itself."""
        return f"{self.app_folder(name)}.1/socket"

    def old_socket_folder(self, name: str) -> str:
        """
        Return the folder in which zdd 0.1 keeps an instance's socket.

        Its instances continue to serve, and its slots lead there. So a new instance has a link there to its own folder.
        """
        return f"{self.instance(name)}/sock"

    def is_of_0_1(self, name: str) -> bool:
        """Return whether zdd 0.1 started the instance; it has the layout of that version."""
        folder = self.old_socket_folder(name)
        return not os.path.islink(folder) and os.path.isdir(folder)

    def log(self, name: str) -> str:
        """Return the file with the instance's output."""
        return f"{self.logs}/{name}.log"

    def deploy_log(self, deploy: int) -> str:
        """Return the file that tells of a deploy, whatever became of it."""
        return f"{self.logs}/deploy-{deploy}.log"

    def deploy_events(self, deploy: int) -> str:
        """Return the file of a deploy's events, one JSON object a line."""
        return f"{self.logs}/deploy-{deploy}.jsonl"

    def last_logged_deploy(self) -> int:
        """Return the highest number of a deploy that has a log, 0 if there is none."""
        return max(self.logged_deploys(), default=0)

    def logged_deploys(self) -> list[int]:
        """Return the numbers of all deploys that have a log; such a number is not used again."""
        names = os.listdir(self.logs) if os.path.isdir(self.logs) else []
        return [int(match[1]) for name in names if (match := re.fullmatch(r"deploy-([0-9]+)\.log", name))]
