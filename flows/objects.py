"""Contents by md5: out of DVC's cache, else out of its remote, which fills the cache. No lock of DVC is taken."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import UserError


@dataclass(frozen=True)
class Objects:
    """DVC's store of contents, as long as `objects` is open."""

    repo: Any

    def find(self, md5: str) -> Path | None:
        """The file with these contents in the cache, or None if neither cache nor remote has it."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.transfer import transfer

        cache = self.repo.cache.local
        path = Path(cache.oid_to_path(md5))
        if not path.is_file() and (remote := self._remote()) is not None and remote.exists(md5):
            transfer(remote, cache, {HashInfo("md5", md5)}, shallow=True, verify=True)  # an upload may have been cut
        return path if path.is_file() else None

    def find_in(self, folder: str, name: str) -> Path | None:
        """The file ``name`` of a folder whose md5 (it ends in ``.dir``) is ``folder``, or None."""
        listing = self.find(folder)
        entries = json.loads(listing.read_bytes()) if listing else []
        found = [entry["md5"] for entry in entries if entry["relpath"] == name]
        return self.find(found[0]) if found else None

    @property
    def remote(self) -> str | None:
        """Name of the default remote, or of the only one; None where there is no such."""
        names = list(self.repo.config["remote"])
        return self.repo.config["core"].get("remote") or (names[0] if len(names) == 1 else None)

    def _remote(self) -> Any:
        """The store of that remote."""
        return self.repo.cloud.get_remote_odb(self.remote) if self.remote else None

    @property
    def has_remote(self) -> bool:
        """Whether there is a remote to look into."""
        return bool(self.repo.config["remote"])


@contextmanager
def objects() -> Iterator[Objects]:
    """The store of the project in the current folder.

    Raises:
        UserError: DVC cannot open the project, or its remote does not answer.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield Objects(repo)
    except DvcException as error:
        raise UserError(
            f"DVC cannot give earlier results: {error}; 'dvc doctor' and 'dvc remote list' say more"
        ) from None
