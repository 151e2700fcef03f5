"""Single files on a local disk: written whole and flushed, or read without following links."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from adapterkit.errors import ArtifactError, RegistryError
from adapterkit.problem import Problem

_CHUNK = 1 << 22
_FIXES = {
    errno.ENOSPC: "The disk is full. Free some space on it, or choose another folder, and try again.",
    errno.EDQUOT: "Your disk quota is used up. Free some space, or choose another folder.",
    errno.EIO: "The disk did not obey. Look for its errors in the system's log (dmesg), and try again.",
    errno.EACCES: "Permission is missing. Make the folder writable for this user, or choose another.",
    errno.EPERM: "Permission is missing. Make the folder writable for this user, or choose another.",
    errno.EROFS: "The file system is read-only. Choose another folder.",
    errno.ENOTDIR: "A part of this path is a file, not a folder. Choose another folder.",
}
_ZIP_WRITER = ("inline_container", "PytorchStreamWriter")
# A file system that cannot flush directories says one of these; it orders its own entries, or promises nothing.
_NOT_FLUSHABLE = {errno.EINVAL, errno.EBADF, errno.ENOTSUP}


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn a failure of the disk into an error that says what was being done, why it failed and what helps.

    Raises:
        RegistryError: the block met an `OSError`.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename and str(error.filename) not in doing else ""
        raise RegistryError(f"{doing} failed: {_in_words(error, where)}") from error


def told_by_the_disk(error: Exception) -> str:
    """What an error says, in words and with what helps, where it comes from the disk.

    `torch.save` tells of a disk that takes no more in a RuntimeError of its own zip writer.
    """
    if isinstance(error, OSError):
        return _in_words(error)
    if isinstance(error, RuntimeError) and any(name in str(error) for name in _ZIP_WRITER):
        return f"the disk took only a part of a file. {_FIXES[errno.ENOSPC]}"
    return str(error)


def _in_words(error: OSError, where: str = "") -> str:
    fix = _FIXES.get(error.errno or 0, "")
    return f"{error.strerror or error}{where}.{' ' + fix if fix else ''}"


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and flush it to the disk.

    Raises:
        RegistryError: the file exists, or the disk refuses.
    """
    with explained(f"Writing {path}"), path.open("xb") as file:
        file.write(data)
        _flush(file)


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a file into a new one (times and permissions stay behind) and flush it to the disk.

    Raises:
        RegistryError: the target exists, the source does not, or the disk refuses.
    """
    with explained(f"Copying {source} to {target}"), source.open("rb") as read, target.open("xb") as written:
        shutil.copyfileobj(read, written, _CHUNK)
        _flush(written)


def read_file(path: Path, *, limit: int) -> bytes:
    """The bytes of a plain file of at most `limit` bytes; a symbolic link is not followed, nor a pipe waited for.

    Raises:
        ArtifactError: the file is too large, is no plain file, or cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = _read(handle, limit)
        finally:
            os.close(handle)
    except OSError as error:
        problem = Problem(path.name, f"cannot be read: {error.strerror or error}")
        raise ArtifactError(f"{problem} ({path})", [problem]) from error
    if len(data) > limit:
        problem = Problem(path.name, f"is larger than {limit} bytes")
        raise ArtifactError(f"{problem} ({path})", [problem])
    return data


def _read(handle: int, limit: int) -> bytes:
    """At most `limit` + 1 bytes; no buffer larger than the file, since it is allocated before the first byte."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a plain file")
    with open(handle, "rb", closefd=False) as file:
        return file.read(min(limit, found.st_size) + 1)


def make_directory(path: Path) -> None:
    """Make a directory with every missing parent, and flush the entry of each in the directory that holds it.

    The entry of one that is there already is flushed too: whoever made it may have died before the flush, and a flushed
    file in a directory without an entry is lost in a power cut.

    Raises:
        RegistryError: the disk refuses, or a part of the path is a file.
    """
    with explained(f"Creating {path}"):
        if path.is_dir():
            with suppress(PermissionError):  # A parent that this user may not read is not this user's to flush.
                sync_directory(path.parent)
            return
        make_directory(path.parent)
        try:
            path.mkdir()
        except FileExistsError:
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Flush a directory's entries, so that a file created or renamed in it survives a power cut.

    Raises:
        OSError: the flush failed, and what was done in the directory may be lost.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NOT_FLUSHABLE:
            raise
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Flush a file that another library wrote.

    Raises:
        OSError: the flush failed, and what was written may be lost.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
