"""What models of earlier revisions answered to validation, out of DVC's cache or remote."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from flows.lock_text import locked
from flows.objects import Objects, objects
from flows.trials.git import blobs
from tasks.records import Example, Prediction, read_examples, read_predictions

LOCK = "dvc.lock"
PREDICTIONS = "data/predictions.validation.jsonl"
PREPARED = "data/prepared"


class Outs:
    """Predictions and examples of revisions; what was read is remembered by content."""

    def __init__(self, store: Objects) -> None:
        self._store = store
        self._read = lru_cache(maxsize=64)(lambda path: tuple(read_predictions(path)))

    def md5(self, rev: str, path: str = PREDICTIONS) -> str | None:
        """The content hash of an out at a revision; None where its dvc.lock has none."""
        (content,) = blobs([f"{rev}:{LOCK}"])
        return None if content is None else locked(content, f"{rev[:9]}:{LOCK}").outs.get(path)

    def predictions(self, rev: str) -> tuple[Prediction, ...] | None:
        """The predictions on validation; None where neither cache nor remote has them."""
        return self.by_md5(self.md5(rev))

    def by_md5(self, md5: str | None) -> tuple[Prediction, ...] | None:
        """The same by content hash."""
        path = self._store.find(md5) if md5 else None
        return None if path is None else self._read(path)

    def examples(self, rev: str, split: str) -> Iterator[Example] | None:
        """The prepared examples of a split."""
        folder = self.md5(rev, PREPARED)
        path: Path | None = self._store.find_in(folder, f"{split}.jsonl") if folder else None
        return None if path is None else read_examples(path)


@contextmanager
def outs() -> Iterator[Outs]:
    """The outs of the project in the current folder."""
    with objects() as store:
        yield Outs(store)
