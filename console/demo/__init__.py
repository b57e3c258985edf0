"""`carillon demo`: the main job with nothing else needed, and nothing real in reach.

Begin reading at `run.py`. `child.py` is the very `carillon up`, in a process of its own; `script.py` says what is
done to it and to the sandbox; `story.py` tells what the ledger says; `tally.py` compares that with what the fans got.
"""

from console.demo.run import demo

__all__ = ["demo"]
