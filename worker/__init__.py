"""One broadcast from order to record: preflight, claim, send, verdict, record.

May import carillon but its campaigns, never scheduler. Begin reading at `deliver.py`.
"""
