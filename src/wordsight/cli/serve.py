"""`wordsight serve`."""

import logging
import os

import typer

from wordsight.cli.app import app
from wordsight.cli.options import DEFAULT_MODEL, DeviceName, MaxPixels, ModelName, Threads


@app.command()
def serve(
    host: str = typer.Option("127.0.0.1", help="Listen on this address; 0.0.0.0 lets other machines in."),
    port: int = typer.Option(8000, min=0, max=65535, help="Listen on this port; 0 takes a free one."),
    model: ModelName = DEFAULT_MODEL,
    device: DeviceName = "auto",
    threads: Threads = None,
    queue: int = typer.Option(64, min=0, help="Queue at most this many requests, and refuse further ones."),
    timeout: float = typer.Option(
        30.0, min=0.1, help="Answer a request, and take its upload, within this many seconds."
    ),
    max_megabytes: float = typer.Option(25.0, min=0.001, help="Refuse pictures of more megabytes than this."),
    max_pixels: MaxPixels = 50_000_000,
) -> None:
    """Serve reading over HTTP, with a web page and API documentation at /docs.

    If the environment variable WORDSIGHT_API_KEY is set, every request that reads must send that key.

    SIGTERM or Ctrl-C finishes accepted requests; a second one ends at once.

    Exit status: 0 ended by a signal; 1 cannot start.
    """
    from wordsight.serve.server import listen, run, share_memory
    from wordsight.serve.service import Service
    from wordsight.serve.settings import MEGABYTE, Settings

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    for chatty in ("uvicorn", "python_multipart"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    share_memory()
    settings = Settings(
        model=model,
        device=device,
        threads=threads,
        queue=queue,
        timeout=timeout,
        max_bytes=int(max_megabytes * MEGABYTE),
        max_pixels=max_pixels,
        api_key=_api_key(),
    )
    with listen(host, port) as listener:
        service = Service(settings)
        shown = f"[{host}]" if ":" in host else host
        typer.echo(
            f"wordsight: reading with {model} on {service.engine.provider} at http://{shown}:{listener.getsockname()[1]}/",
            err=True,
        )
        run(service, listener)


def _api_key() -> str | None:
    """The key from the environment, without the line break that files of secrets end with."""
    from wordsight.errors import ConfigError

    key = os.environ.get("WORDSIGHT_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("WORDSIGHT_API_KEY has other characters than headers carry: use ASCII")
    return key or None
