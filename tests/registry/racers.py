"""What one of several racing processes does; in a module of its own, so that a fresh process can import it."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

from artifacts.samples import draft_of

from adapterkit.errors import VersionTakenError
from adapterkit.names import Version
from adapterkit.registry import Registry
from adapterkit.stores import move_into_place, remove_stale_staging, staging_directory, write_file


def publish_many(registry: Path, adapter_dir: Path, racer: int, count: int) -> list[tuple[str, bool]]:
    """Publish the same weights `count` times under keys that no other racer uses."""
    shelf = Registry(registry)
    drafts = [draft_of(adapter_dir, run_key=f"{racer * 1000 + number:064x}") for number in range(count)]
    published = [shelf.publish(draft) for draft in drafts]
    return [(str(each.ref), each.new) for each in published]


def publish_same(registry: Path, adapter_dir: Path) -> tuple[str, bool]:
    """Publish what every racer publishes."""
    published = Registry(registry).publish(draft_of(adapter_dir))
    return str(published.ref), published.new


def claim_versions(registry: Path, adapter_dir: Path, racer: int, count: int) -> dict[str, bool]:
    """Publish an adapter of one's own at 1.0.0, 1.1.0, ...; whether each was won, or was told to be taken."""
    shelf, won = Registry(registry), {}
    for number in range(count):
        draft = draft_of(adapter_dir, run_key=f"{racer:064x}", environment={"racer": racer})
        try:
            won[f"unified@1.{number}.0"] = shelf.publish(draft, version=Version(1, number, 0)).new
        except VersionTakenError as error:
            won[error.ref] = False
    return won


def hold_staging(parent: Path, pipe: Connection) -> None:
    """Stage a file, say where, wait for the place it shall go to, and say whether it went there."""
    with staging_directory(parent) as staged:
        write_file(staged / "f", b"whole")
        pipe.send(staged)
        pipe.send(move_into_place(staged, pipe.recv()))


def stage_many(parent: Path, racer: int, count: int) -> list[bool]:
    """Stage a file and move it into a place of its own, many times."""
    moved = []
    for number in range(count):
        with staging_directory(parent) as staged:
            write_file(staged / "f", b"whole")
            moved.append(move_into_place(staged, parent / f"{racer}-{number}"))
    return moved


def collect_many(parent: Path, count: int) -> int:
    """Look for stale staging many times; how much was found."""
    return sum(len(remove_stale_staging(parent)) for _ in range(count))
