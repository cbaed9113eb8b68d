"""What Prometheus is told: requests, latency, batches, the queue, the model. No label ever holds a text or a key."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

from serving.model import Served

__all__ = ["CONTENT_TYPE", "Metrics"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("hone_requests", "Requests answered.", ["path", "status"], registry=self._registry)
        self._seconds = Histogram(
            "hone_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["path"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._batch_texts = Histogram(
            "hone_batch_texts", "Texts that the model answered at once.", buckets=TEXTS, registry=self._registry
        )
        self._batch_seconds = Histogram(
            "hone_batch_seconds", "How long the model took for a batch.", buckets=SECONDS, registry=self._registry
        )
        self._queue = Gauge("hone_queue_texts", "Texts that wait for the model.", registry=self._registry)
        self._model = Gauge(
            "hone_model_info", "The model in use; its value is 1.", ["version", "task"], registry=self._registry
        )
        self._taken_up = Gauge(
            "hone_model_taken_up_timestamp_seconds", "When the model in use was taken up.", registry=self._registry
        )
        self._refused = Counter(
            "hone_models_refused", "New models that could not be taken up.", registry=self._registry
        )
        ProcessCollector(registry=self._registry)

    def request(self, path: str, status: int, seconds: float) -> None:
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, texts: int, seconds: float) -> None:
        self._batch_texts.observe(texts)
        self._batch_seconds.observe(seconds)

    def queue(self, waiting: Callable[[], int]) -> None:
        """Ask ``waiting`` for the depth of the queue whenever the metrics are read."""
        self._queue.set_function(waiting)

    def model(self, served: Served | None) -> None:
        """A model was taken up, or refused (None)."""
        if served is None:
            self._refused.inc()
            return
        self._model.clear()
        self._model.labels(served.version, served.model.task).set(1)
        self._taken_up.set(time.time())

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)
