"""`wordsight mcp`."""

from wordsight.cli.app import app
from wordsight.cli.options import DEFAULT_MODEL, ModelName, Threads


@app.command()
def mcp(model: ModelName = DEFAULT_MODEL, threads: Threads = None) -> None:
    """Serve `read_image` to assistants over standard input and output (Model Context Protocol).

    It reads only the picture files on this machine that it is asked to read.
    """
    from wordsight.plugins.mcp import server
    from wordsight.reader import Reader

    server(Reader(model, threads=threads)).run()
