"""`carillon doctor`: what is reachable and what is wrong, each with the mend.

Begin reading at `examine.py`, which has the order of the checks; each other file looks at one thing and tells findings.
"""

from console.doctor.examine import doctor

__all__ = ["doctor"]
