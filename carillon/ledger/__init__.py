"""What was planned, tried, sent: tables, the one door for states, and a file for each question.

May import settings, clock and logs. Begin reading at `states.py`.
"""
