"""The text that nginx was made to run last, kept to notice when another hand changes the file."""

from __future__ import annotations

from zdd.host import files


class Told:
    """The copy, at `path`; without one it is not known what nginx was told, as after an older zdd."""

    def __init__(self, path: str) -> None:
        self.path = path

    def keep(self, text: str | None) -> None:
        """Keep this text. On a full disk nothing is kept."""
        try:
            if text is not None and text != files.read(self.path):
                files.write(self.path, text, mode=0o600)
        except OSError:
            text = None
        if text is None:
            files.remove(self.path)

    def differs(self, text: str | None) -> bool:
        """Return whether it is known that nginx was told something else."""
        told = files.read(self.path)
        return told is not None and told != text
