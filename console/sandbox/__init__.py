"""The four platforms imitated over real HTTP, strict about what they accept, for the demo and the tests.

Begin reading at `server.py`; `world.py` names the keys, accounts, lists and media, `control.py` what another process
may tell and ask. A call comes in through `wire.py`, is judged in `reception.py` by the platform's `RULES`, and lives on
in `schedule.py`, `sales.py` and `hooks.py`; `clockwork.py` has what is to happen later.
"""

from console.sandbox.faults import Fault
from console.sandbox.rates import Rate
from console.sandbox.records import Delivery
from console.sandbox.sales import Appetite, Sale
from console.sandbox.server import Sandbox, serve

__all__ = ["Appetite", "Delivery", "Fault", "Rate", "Sale", "Sandbox", "serve"]
