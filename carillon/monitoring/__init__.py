"""How Carillon tells people and programs how it is: health, metrics, alarms on their way, systemd.

May import the ledger, settings, clock and logs. Begin reading at `health.py`.
"""
