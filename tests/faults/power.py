"""What a power cut would leave: which changes were flushed, told from the calls of an operation.

The model is that of POSIX at its strictest. A file's bytes last once the file was flushed after its last write; an
entry (a file made, a directory made, a rename) lasts once the directory that holds it was flushed afterwards.
"""

from __future__ import annotations

from pathlib import PurePath

from faults.shim import Call


class Disk:
    """The changes that a power cut may undo, as the calls come in."""

    def __init__(self) -> None:
        self.bytes: set[PurePath] = set()
        self.entries: set[PurePath] = set()

    def see(self, call: Call) -> None:
        """Take one call in; of those that only remove, nothing is asked."""
        path, other = PurePath(call.path), PurePath(call.other)
        if call.name in ("write", "truncate"):
            self.bytes.add(path)
        elif call.name in ("open", "mkdir"):
            self.entries.add(path)
        elif call.name == "rename":
            self.bytes = {_moved(each, path, other) for each in self.bytes}
            self.entries = {_moved(each, path, other) for each in self.entries} | {other}
        elif call.name == "fsync":
            self.bytes.discard(path)
            self.entries = {each for each in self.entries if each.parent != path}

    def unsafe(self, path: PurePath) -> list[str]:
        """What may be missing of a file, or of a directory and all below it; its own entry in its parent aside."""
        lost = [f"the bytes of {each}" for each in self.bytes if each.is_relative_to(path)]
        return sorted(lost + [f"the entry {each}" for each in self.entries if path in each.parents])


def _moved(each: PurePath, path: PurePath, other: PurePath) -> PurePath:
    """Where a path leads after a rename."""
    return other / each.relative_to(path) if each.is_relative_to(path) else each


def unsafe_renames(calls: list[Call]) -> list[str]:
    """What a rename made visible under its last name before it was flushed."""
    disk, found = Disk(), []
    for call in calls:
        if call.name == "rename":
            found += disk.unsafe(PurePath(call.path))
        disk.see(call)
    return found


def unsafe_at_the_end(calls: list[Call]) -> list[str]:
    """What may be missing after a power cut in spite of reported success; staging and locks do not count."""
    disk = Disk()
    for call in calls:
        disk.see(call)
    lost = [f"the bytes of {path}" for path in disk.bytes] + [f"the entry {path}" for path in disk.entries]
    return sorted(each for each in lost if ".staging-" not in each and not each.endswith("/.lock"))
