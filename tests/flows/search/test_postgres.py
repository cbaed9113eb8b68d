"""A search in PostgreSQL: a cluster of the test's own, on loopback, as a user without rights."""

from typing import Any

import pytest

from flows.search import storage


def test_a_search_in_postgres_goes_on_after_a_kill(lab: Any, postgres: str) -> None:
    lab.die_at = 3
    with pytest.raises(KeyboardInterrupt):
        lab.search(storage=postgres, trials=6)
    found = lab.search(storage=postgres, trials=6)
    assert (found.again, found.why, len(found.rows)) == (1, "trials", 6)
    assert found.best is not None and found.rows[0].params["train.layers"] == 2
    assert not storage.FILE.exists()
