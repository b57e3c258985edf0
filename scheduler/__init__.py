"""When: publishes campaign files, plans broadcasts, releases what is due, sweeps, rescues.

May import carillon, never worker. Begin reading at `timetable.py`.
"""
