"""How a job goes, for Prometheus."""

from collections.abc import Callable

from prometheus_client import Gauge, start_http_server

from wordsight.bulk.job import Progress
from wordsight.errors import ConfigError


def metrics(port: int) -> Callable[[Progress], None]:
    """Answers at `http://HOST:port/metrics` from now on. Returns the callback for progress; call this once.

    Raises:
        ConfigError: the port is not available.
    """
    pictures = Gauge("wordsight_bulk_pictures", "Pictures of this job, or of this machine's share of it.", ["state"])
    rate = Gauge("wordsight_bulk_pictures_per_second", "Read by this run, since it began.")
    try:
        start_http_server(port)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be opened ({error.strerror}): choose another --metrics-port") from None

    def watch(progress: Progress) -> None:
        for state in ("total", "done", "failed"):
            pictures.labels(state).set(getattr(progress, state))
        rate.set(progress.rate)

    return watch
