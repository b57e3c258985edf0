"""What the processes share: campaign files, platforms, the ledger and the queue between scheduler and worker.

Imports run one way: campaigns -> platforms, ledger, handoff -> settings, clock, logs.
Begin reading at `ledger/states.py`: the life of a broadcast in one table.
"""
