"""Processes that render for another one."""

import os
import signal
from multiprocessing import parent_process
from multiprocessing.connection import wait
from threading import Thread


def start() -> None:
    """What every such process does first: end with its parent, however that ends, and leave Ctrl-C to it.

    A pool's processes otherwise wait for work for ever where their parent was killed, in some 300 MB each.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
