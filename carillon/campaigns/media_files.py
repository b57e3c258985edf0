"""Files beside a campaign file: found, looked at, and kept as they are now: no later change reaches a broadcast.

Nothing outside the folder of the YAML is opened: no way up, no link out of it, nothing that is not a plain file.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from carillon.campaigns.text import TextError
from carillon.platforms.contract import Content
from carillon.platforms.kinds import HEAD_BYTES, kind_of
from carillon.platforms.sources import frozen_file, is_url
from carillon.platforms.store import MOST_BYTES, Store


class MediaError(TextError):
    """A file that cannot be sent, in a sentence."""


def is_file(medium: str) -> bool:
    """Whether a campaign means a file by it, and not a URL or a platform's id."""
    return not is_url(medium) and ("/" in medium or medium.startswith("."))


def path_of(medium: str, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, medium))


def look_at(path: str, folder: str, most_bytes: int = MOST_BYTES) -> None:
    """Raises MediaError if the file cannot be sent."""
    with _opened(path, folder, most_bytes):
        pass


def kept(content: Content, folder: str, store: Store) -> Content:
    """The same with each file in the store and named by its content. Raises MediaError."""
    paths = [medium for medium in content.media if medium.startswith("/")]
    if not paths:
        return content
    names = {path: _kept(path, folder, store) for path in paths}
    said = {"media": tuple(names.get(medium, medium) for medium in content.media)}
    if isinstance(content.preview_media, tuple):
        said["preview_media"] = tuple(names.get(medium, medium) for medium in content.preview_media)
    return content.model_copy(update=said)


def _kept(path: str, folder: str, store: Store) -> str:
    with _opened(path, folder, MOST_BYTES) as descriptor:
        try:
            return frozen_file(store.add_file(path, descriptor), os.path.basename(path))
        except OSError as error:
            raise MediaError(f"the file {path} cannot be kept: {error.strerror}") from None


@contextmanager
def _opened(path: str, folder: str, most_bytes: int) -> Iterator[int]:
    real, root = os.path.realpath(path), os.path.realpath(folder)
    if os.path.commonpath([real, root]) != root:
        raise MediaError(f"{path} lies outside the folder of the campaign file; put it beside or below that")
    try:
        descriptor = _reached(real, root)
    except FileNotFoundError:
        raise MediaError(f"there is no file {path}") from None
    except OSError as error:
        raise MediaError(f"the file {path} cannot be read: {error.strerror}") from None
    try:
        _examine(descriptor, path, most_bytes)
        yield descriptor
    finally:
        os.close(descriptor)


def _reached(real: str, root: str) -> int:
    """Opened folder by folder, through no link: one may have been put there since the path was looked at."""
    *folders, name = os.path.relpath(real, root).split(os.sep)
    place = os.open(root, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
    finally:
        os.close(place)


_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


def _examine(descriptor: int, path: str, most_bytes: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise MediaError(f"{path} is not a plain file")
    if not found.st_size:
        raise MediaError(f"the file {path} is empty")
    if found.st_size > most_bytes:
        raise MediaError(f"the file {path} has {_size(found.st_size)}; at most {_size(most_bytes)} can be uploaded")
    if kind_of(os.pread(descriptor, HEAD_BYTES, 0)) is None:
        raise MediaError(f"the file {path} is neither a photo, a video nor audio")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
