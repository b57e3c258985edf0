"""What every long-running process of Carillon does alike: its name, and how it is told to stop."""

import os
import signal
import socket
import threading


def process_name() -> str:
    """What events and logs call this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
