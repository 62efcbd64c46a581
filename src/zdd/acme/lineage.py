"""certbot's own folders, and the newest certificate that it has for a host: what certbot calls a lineage."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from zdd.acme import answer, certificates
from zdd.acme.answer import Answer
from zdd.acme.certificates import Held
from zdd.host import files, trees
from zdd.nginx.certificates.store import Pair

_FILES = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem")
_SKEW = 3600.0  # seconds that clocks may differ


class Folders(NamedTuple):
    """The folders of certbot, below `root`, and the folder that nginx serves the challenges from."""

    root: str
    webroot: str

    def make(self, host: str) -> None:
        """
        Make certbot's folders; nobody else may enter them, since the keys of its account and certificates are there.

        Files that a killed certbot has left half written for the host are removed: else certbot would give the next
        certificate another name. Raises OSError.
        """
        for folder in (self.root, self._config, self._work, self._logs):
            files.open_folder(folder, 0o700, never=0o077)
        files.make_folder(self.webroot, 0o755)
        if not self._is_whole(host):
            for path in (f"{self._config}/live/{host}", f"{self._config}/archive/{host}", self._settings(host)):
                trees.remove(path)

    @property
    def options(self) -> list[str]:
        """The options that name certbot's own folders."""
        return [f"--config-dir={self._config}", f"--work-dir={self._work}", f"--logs-dir={self._logs}"]

    def server(self, host: str) -> str | None:
        """Return the authority that issued the host's certificate; None if it is unknown."""
        found = re.search(r"(?m)^server\s*=\s*(\S+)", files.read(self._settings(host), "replace") or "")
        return found[1] if found else None

    def answer(self, since: float) -> Answer:
        """Return the authority's last answer to a certbot that was started at `since` (as of time.time())."""
        return answer.last(f"{self._logs}/letsencrypt.log", since)

    def newest(self, host: str, now: float) -> Pair | None:
        """
        Return the newest pair that certbot has for the host; None if there is none that browsers accept now.

        If a command is killed after certbot has obtained a pair, the next one finds it here and asks no authority.
        """
        chain, key = (files.read(path) for path in self._pair(host))
        certificate = certificates.read(chain or "")
        if not (chain and key and certificate) or Held(host, certificate).is_due(now):
            return None
        return Pair(chain, key) if certificate.begins <= now + _SKEW and self._is_whole(host) else None

    def _is_whole(self, host: str) -> bool:
        """Return whether all files of the host's certificate are there, and its key is the certificate's."""
        there = all(os.path.isfile(f"{self._config}/live/{host}/{name}") for name in _FILES)
        if not (there and "fullchain" in (files.read(self._settings(host), "replace") or "")):
            return False
        import ssl  # here, because only what certbot has brought is looked at

        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._pair(host))
        except (ssl.SSLError, OSError):
            return False
        return True

    def _pair(self, host: str) -> tuple[str, str]:
        folder = f"{self._config}/live/{host}"
        return f"{folder}/fullchain.pem", f"{folder}/privkey.pem"

    def _settings(self, host: str) -> str:
        return f"{self._config}/renewal/{host}.conf"

    @property
    def _config(self) -> str:
        return f"{self.root}/config"

    @property
    def _work(self) -> str:
        return f"{self.root}/work"

    @property
    def _logs(self) -> str:
        return f"{self.root}/logs"
