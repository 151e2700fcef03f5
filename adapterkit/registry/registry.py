"""The registry: a folder of published adapters, and all that changes it."""

from __future__ import annotations

import os

from adapterkit.artifacts import Artifact, ArtifactDraft
from adapterkit.names import AdapterRef, Version, check_name
from adapterkit.registry.aliases import LATEST, PRODUCTION
from adapterkit.registry.collect import KEEP, Collection, collect, plan_collection
from adapterkit.registry.finding import intact
from adapterkit.registry.layout import refuse_links
from adapterkit.registry.moving import Moved, promote, rollback
from adapterkit.registry.publish import Published, publish
from adapterkit.registry.remove import Removed, remove
from adapterkit.registry.shelf import Shelf
from adapterkit.stores import staging_directory


class Registry(Shelf):
    """Published adapters under one folder.

    Args:
        path: the folder; null means `$ADAPTERKIT_REGISTRY`, or else `adapters`. It need not exist yet.
    """

    def require_writable(self, name: str) -> None:
        """Try whether an adapter can be published here, before hours are spent on it; the registry's folder is made.

        Raises:
            RegistryError: a folder cannot be created or written, or a link stands in the place of the adapter's.
        """
        refuse_links(own := self.path / check_name(name))
        # The adapter's own folder may be somebody else's in a registry that all write to.
        for folder in (self.path, own) if os.path.lexists(own) else (self.path,):
            with staging_directory(folder):
                pass

    def publish(self, draft: ArtifactDraft, version: Version | None = None) -> Published:
        """Make a draft the next version of its adapter; the same run key and the same weights are published only once.

        Args:
            draft: what to publish.
            version: publish exactly this version, not the next one.

        Raises:
            ArtifactError: the adapter or what is said of it is not fit to be published; every problem is listed.
            VersionTakenError: the given version holds another adapter.
            RegistryError: an ancestor is missing, damaged or another one than the draft names, or the disk refuses.
        """
        return publish(self, draft, version)

    def promote(self, ref: AdapterRef | str, alias: str = PRODUCTION) -> Moved:
        """Point an alias at a version, once that verifies with all its ancestors.

        Args:
            ref: the version, or an alias that means it.
            alias: which alias; it need not be there yet.

        Raises:
            UsageError: the ref or the alias is none.
            RefNotFoundError: the registry does not hold the version.
            ArtifactError: it is not intact; the alias stays.
            RegistryError: somebody else moved the alias at the same moment, or the disk refuses.
        """
        return promote(self, ref, alias)

    def rollback(self, name: str, alias: str = LATEST, *, to: Version | str | None = None) -> Moved:
        """Point an alias back at the version that it meant before. No version is touched.

        A `latest` that was rolled back stays where it is until something newer is published.

        Args:
            name: the adapter.
            alias: which alias.
            to: go back to this version; null: to the one before.

        Raises:
            UsageError: there is nothing to go back to, or `to` is no version.
            AdapterKitError: as `promote`.
        """
        return rollback(self, name, alias, to)

    def plan_collection(self, *, keep: int = KEEP) -> Collection:
        """What nothing needs: no alias, no rollback, no child, and not among the newest `keep` versions of its adapter.

        Raises:
            UsageError: `keep` is less than 1.
            RegistryError: what something needs cannot be read.
        """
        return plan_collection(self, keep=keep)

    def collect(self, planned: Collection, *, keep: int = KEEP) -> Collection:
        """Remove what was planned, as far as nothing needs it still; returns what is gone.

        Args:
            planned: from `plan_collection`.
            keep: how many versions of each adapter stay without any further reason.

        Raises:
            RegistryError: what something needs cannot be read, or the disk refuses.
        """
        return collect(self, planned, keep=keep)

    def remove(self, ref: AdapterRef | str, *, apply: bool = True) -> Removed:
        """Remove one exact version that no alias means and on which nothing was built; its number is not given again.

        Args:
            ref: `name@1.2.0`.
            apply: do it; else say what would go.

        Raises:
            UsageError: it is no exact version, or the only one of its adapter.
            RefNotFoundError: there is no such version.
            NeededError: an alias means it, or something was built on it.
            RegistryError: what something needs cannot be read, or the disk refuses.
        """
        return remove(self, ref, apply=apply)

    def find_run_key(self, name: str, run_key: str) -> Artifact | None:
        """The newest intact artifact of an adapter that was made under a run key; damaged ones are passed over.

        Args:
            name: the adapter.
            run_key: sha256 in hex, over all that a training hangs on.

        Raises:
            RegistryError: the folder cannot be listed.
        """
        return next(intact(self, name, run_key), None)
