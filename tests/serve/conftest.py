"""A service that runs, and what it must agree with."""

from collections.abc import Iterator

import pytest
from running_service import Running, Start, start

from wordsight import Reader


@pytest.fixture(scope="session")
def service() -> Iterator[Running]:
    """One with the default model, lower limits and more patience, as machines may be busy."""
    running = start("--max-pixels", "4000000", "--max-megabytes", "2", "--timeout", "300")
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture
def started() -> Iterator[Start]:
    """Starts services that end with the test."""
    all_running = []

    def begin(*options: str, **environment: str) -> Running:
        all_running.append(start(*options, **environment))
        return all_running[-1]

    yield begin
    for running in all_running:
        running.process.kill()
        running.process.wait()


@pytest.fixture(scope="session")
def reader() -> Reader:
    """What the service must agree with."""
    return Reader()
