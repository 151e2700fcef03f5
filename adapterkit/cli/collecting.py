"""`adapterkit gc`: what goes, what went, and why the rest stays."""

from __future__ import annotations

from adapterkit.cli.output import print_json
from adapterkit.errors import counted
from adapterkit.registry import Collection


def print_collected(found: Collection, applied: bool, as_json: bool) -> None:
    """Print what was, or would be, removed."""
    if as_json:
        print_json(
            {
                "applied": applied,
                "versions": [str(ref) for ref in found.versions],
                "left_behind": [str(path) for path in found.left_behind],
                "bytes": found.bytes,
                "kept": {str(ref): why for ref, why in found.kept.items()},
            }
        )
        return
    verb = "removed" if applied else "would remove"
    for ref in found.versions:
        print(f"{verb} {ref}")
    for path in found.left_behind:
        print(f"{verb} {path}, left behind by a process that is dead")
    if not found.versions and not found.left_behind:
        print(
            f"Nothing to collect: what is there is needed, or among the newest: {counted(len(found.kept), 'version')}."
        )
    elif not applied:
        print(
            f"{found.bytes / 1e6:,.1f} MB, and {counted(len(found.kept), 'version')} to stay. "
            "To do it: adapterkit gc --apply"
        )
