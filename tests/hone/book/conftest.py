"""A project with a made-up history; the benchmarks that make it are not installed and are put on the path."""

import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@dataclass
class History:
    """A repository to which commits and trials are added."""

    folder: Path
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    count: int = 0

    def commit(self, share: float, subject: str, **files: str) -> str:
        """A commit with results in which ``share`` of the sentences are right; files by path with __ for /."""
        from benchmarks import ledger

        wanted = ledger.state(self.folder, 29, share, self.chance) | named(files)
        for path, text in wanted.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        return self.save(subject)

    def save(self, subject: str) -> str:
        from benchmarks import ledger

        self.count += 1
        when = {"GIT_COMMITTER_DATE": f"{1_700_000_000 + 60 * self.count} +0000"}
        ledger._git(self.folder, "add", "-A")
        ledger._git(self.folder, "commit", "-qm", subject, also=when)
        return ledger._git(self.folder, "rev-parse", "HEAD")

    def trial(self, name: str, share: float, **said: Any) -> str:
        """A trial on HEAD."""
        from benchmarks import ledger

        files = named(said.pop("files", {}))
        return ledger.trial(self.folder, name, 29, share, self.chance, files=files, **said)

    def params(self, old: str, new: str) -> str:
        """The text of the history's params.yaml with a value changed."""
        from benchmarks import ledger

        text = ledger.state(self.folder, 29, 0.5, random.Random(1))["params.yaml"]
        assert old in text
        return text.replace(old, new, 1)


def named(files: dict[str, str]) -> dict[str, str]:
    return {name.replace("params", "params.yaml").replace("__", "/"): text for name, text in files.items()}


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """An empty project, the current folder."""
    from benchmarks import ledger

    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("")
    (folder / ".gitignore").write_text("/.dvc/cache\n/.dvc/tmp\n/data/loop\n")
    ledger._git(folder, "init", "-q", "-b", "main")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    return History(folder)
