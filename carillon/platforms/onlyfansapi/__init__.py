"""OnlyFansAPI, whole: begin reading at `adapter.py`; each part of `parts.py` has a file of its own."""
