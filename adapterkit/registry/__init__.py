"""The registry: publish, resolve, verify with ancestors."""

from adapterkit.registry.collect import KEEP, Collection
from adapterkit.registry.finding import ref_with, version_with
from adapterkit.registry.freshness import BROKEN, FRESH, Look, Reason, Standing, judge
from adapterkit.registry.history import Event, history_of
from adapterkit.registry.lost_parents import by_ref, problem_of
from adapterkit.registry.moving import Moved
from adapterkit.registry.oddities import oddities
from adapterkit.registry.publish import Published, publish
from adapterkit.registry.registry import Registry
from adapterkit.registry.remove import Removed
from adapterkit.registry.resolving import Pointer, Resolved, given_up
from adapterkit.registry.strays import Stray, strays
from adapterkit.registry.survey import Entry, without_collector
from adapterkit.registry.verify_target import verify
from adapterkit.registry.versioning import VersionFacts, next_version

__all__ = [
    "BROKEN",
    "FRESH",
    "KEEP",
    "Collection",
    "Entry",
    "Event",
    "Look",
    "Moved",
    "Pointer",
    "Published",
    "Reason",
    "Registry",
    "Removed",
    "Resolved",
    "Standing",
    "Stray",
    "VersionFacts",
    "by_ref",
    "given_up",
    "history_of",
    "judge",
    "next_version",
    "oddities",
    "problem_of",
    "publish",
    "ref_with",
    "strays",
    "verify",
    "version_with",
    "without_collector",
]
