"""The four platforms imitated over real HTTP, strict about what they accept, for the demo and the tests.

Begin reading at `server.py`; `world.py` names the keys, accounts, lists and media.
"""

from console.sandbox.faults import Fault
from console.sandbox.records import Delivery
from console.sandbox.server import Sandbox, serve

__all__ = ["Delivery", "Fault", "Sandbox", "serve"]
