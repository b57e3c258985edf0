"""The four platforms behind one contract: requests are exact, replies are read leniently.

May import settings, clock and logs. Begin reading at `contract.py`; a new platform is one file, and one line in
`roster.py`.
"""
