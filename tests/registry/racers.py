"""What one of several racing processes does; in a module of its own, so that a fresh process can import it."""

from __future__ import annotations

from pathlib import Path

from artifacts.samples import draft_of

from adapterkit.registry import Registry


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
