"""Files must lie inside of the data's folder, as links and the paths in a table may lead anywhere.

>>> AllowedFolders(Path("photos")).check("/etc/passwd")
Traceback (most recent call last):
ValueError: /etc/passwd is outside of the data's folder photos; data.allow_outside_root=true reads it
"""

import os
from pathlib import Path


class AllowedFolders:
    """Some folders, and what is inside of them once all links are followed.

    Args:
        roots: the folders; the first one is named in messages.
        anywhere: allow all files; the setting data.allow_outside_root.
    """

    def __init__(self, *roots: Path, anywhere: bool = False) -> None:
        self._named, self._anywhere = roots[0], anywhere
        self._roots = [os.path.realpath(root) for root in roots]

    def check(self, path: str | Path) -> None:
        """Raise a ValueError that names a path which is outside."""
        if not (self._anywhere or self.contains(path)):
            raise ValueError(
                f"{path} is outside of the data's folder {self._named}; data.allow_outside_root=true reads it"
            )

    def check_link(self, path: str | Path) -> None:
        """Do the same for a path of a folder that is inside; only a link can lead outside."""
        if os.path.islink(path):
            self.check(path)

    def contains(self, path: str | Path) -> bool:
        """Return whether a path is inside."""
        real = os.path.realpath(path)
        return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in self._roots)
