"""Becomes another command that dies with the process that started it: `leash.py PARENT COMMAND…`.

Run as a file, so that nothing is imported before. Where the kernel has no such signal, the parent's own clean-up
must do.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == int(parent):  # else it died before it could be listened to
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
