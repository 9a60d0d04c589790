"""The metrics at /metrics, for Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CROPS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The numbers of one service. Any thread may write them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # resident memory among it, on Linux
        self.requests = Counter(
            "wordsight_requests", "Requests answered, by route and status.", ["route", "status"], registry=self.registry
        )
        self.rejected = Counter(
            "wordsight_rejected", "Requests and pictures refused, by reason.", ["reason"], registry=self.registry
        )
        self.seconds = Histogram(
            "wordsight_stage_seconds",
            "Time by stage: upload, queue, read (all that a thread does for a request), detect, recognize.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.waiting = Gauge("wordsight_queue_depth", "Requests that wait for a thread.", registry=self.registry)
        self.running = Gauge("wordsight_running", "Requests that are being read.", registry=self.registry)
        self.batch = Histogram(
            "wordsight_batch_crops",
            "Crops that went through the recognizer together.",
            buckets=_CROPS,
            registry=self.registry,
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what happens inside."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds.labels(name).observe(perf_counter() - start)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)
