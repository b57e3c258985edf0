"""Where an embedded ledger is kept: whose it is, who else can get at it, and on what kind of disk."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil

from console.doctor.findings import Finding, Status

_CHECK = "home"
_OVER_THE_NETWORK = ("nfs", "cifs", "smb", "afs", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph", "fuse.s3fs", "ncpfs")
_LOW_BYTES = 500 << 20
_FULL_BYTES = 50 << 20


def check_folder(file: Path) -> Iterator[Finding]:
    """Of the ledger's folder, or of the nearest above it that exists."""
    folder = file.absolute().parent.resolve()
    while not folder.exists():
        folder = folder.parent
    kind = _file_system(folder)
    if kind.startswith(_OVER_THE_NETWORK):
        message = f"{folder} is on a network file system ({kind}), where SQLite's locks do not hold"
        yield Finding(_CHECK, "error", message, "move CARILLON_HOME to a local disk, or use PostgreSQL")
    yield from _space(folder)


def _file_system(folder: Path) -> str:
    mounts = {Path(found.mountpoint): found.fstype for found in psutil.disk_partitions(all=True)}
    return next((mounts[place].lower() for place in (folder, *folder.parents) if place in mounts), "")


def _space(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    words = f"{free / (1 << 30):.1f} GiB are free where {folder} is"
    status: Status = "error" if free < _FULL_BYTES else "warning" if free < _LOW_BYTES else "ok"
    yield Finding(_CHECK, status, words, None if status == "ok" else "make room, or move CARILLON_HOME")


def check_file(file: Path) -> Iterator[Finding]:
    owner, me = file.stat().st_uid, os.geteuid()
    if not os.access(file, os.W_OK) or not os.access(file.parent, os.W_OK):
        mend = f"run this as {_name(owner)}, or chown what is in {file.parent}"
        yield Finding(_CHECK, "error", f"{_name(me)} may not write {file}", mend)
    elif owner != me:
        message = (
            f"{file} belongs to {_name(owner)}, and this runs as {_name(me)}: keys and settings may be others there"
        )
        yield Finding(_CHECK, "note", message)
    yield from _exposed(file)


def _exposed(file: Path) -> Iterator[Finding]:
    of_file, of_folder = file.stat().st_mode, file.parent.stat().st_mode
    others_enter = of_folder & stat.S_IXOTH
    if of_folder & (stat.S_IWGRP | stat.S_IWOTH) or (others_enter and of_file & stat.S_IWOTH):
        message = f"others may change the ledger in {file.parent}, and so what counts as sent"
        yield Finding(_CHECK, "error", message, f"chmod 700 {file.parent}")
    elif others_enter and of_file & stat.S_IROTH:
        message = f"every user of this machine may read the messages in {file}"
        yield Finding(_CHECK, "warning", message, f"chmod 700 {file.parent}")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
