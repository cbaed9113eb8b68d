"""The rate limit, by a clock that the test holds."""

import pytest

from serving import rate
from serving.rate import Rate
from serving.refusals import Refusal


def test_a_minutes_worth_at_once_then_one_by_one():
    now = 0.0
    limit = Rate(6, lambda: now)
    for _ in range(6):
        limit.admit("a")
    with pytest.raises(Refusal) as refused:
        limit.admit("a")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "10")
    limit.admit("b")
    now = 9.9
    with pytest.raises(Refusal):
        limit.admit("a")
    now = 10.1
    limit.admit("a")
    with pytest.raises(Refusal):
        limit.admit("a")


def test_a_long_pause_earns_no_more_than_a_minutes_worth():
    now = 0.0
    limit = Rate(2, lambda: now)
    limit.admit("a")
    now = 86_400.0
    limit.admit("a")
    limit.admit("a")
    with pytest.raises(Refusal):
        limit.admit("a")


def test_zero_is_no_limit_and_clients_are_not_kept_for_ever(monkeypatch):
    for _ in range(100):
        Rate(0).admit("a")
    monkeypatch.setattr(rate, "MOST_CLIENTS", 3)
    limit = Rate(1, lambda: 0.0)
    for client in "abcd":
        limit.admit(client)
    limit.admit("a")  # forgotten
    with pytest.raises(Refusal):
        limit.admit("d")
