"""What a campaign file may say: YAML with line numbers, its shape, its rules, its due times.

May import platforms, settings, clock and logs; the worker never imports this room.
Begin reading at `catalogue.py`.
"""
