"""A rate limit per client: the token bucket."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from serving.refusals import Refusal

MOST_CLIENTS = 10_000  # buckets that are remembered; the one that asked longest ago goes first


class Rate:
    """At most ``rate`` requests a minute for each client, all of which may come at once.

    Args:
        rate: requests a minute; 0 means no limit.
        clock: seconds, never going back.
    """

    def __init__(self, rate: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, client: str) -> None:
        """Count a request. Raises Refusal (429) with the seconds until the next one may come."""
        if not self._rate:
            return
        now = self._clock()
        left, then = self._buckets.get(client, (float(self._rate), now))
        left = min(self._rate, left + (now - then) * self._rate / 60)
        admitted = left >= 1
        self._buckets[client] = (left - admitted, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if not admitted:
            raise Refusal(
                429,
                "too_many_requests",
                f"more than {self._rate} requests a minute",
                retry_after=(1 - left) * 60 / self._rate,
            )
