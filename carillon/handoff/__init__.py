"""The queue between scheduler and worker: a broker and orders, which carry ids alone.

May import settings, clock and logs. Begin reading at `orders.py`.
"""
