"""The webhook receiver: `/webhooks/{platform}/{creator}`.

What a platform says is proven, stored, and only then answered; what follows from it is `worker/hints.py`. Begin reading
in `endpoint.py`, which has the checks in their order.
"""
