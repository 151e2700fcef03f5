"""The registry: a folder of published adapters. It keeps no state besides the file system."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from adapterkit.artifacts import (
    MAX_TEXT_BYTES,
    Artifact,
    ArtifactDraft,
    Problem,
    PublicKey,
    VerificationReport,
    from_report,
    parse_json,
)
from adapterkit.artifacts.read import refuse_hollow
from adapterkit.errors import AdapterKitError, RegistryError
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest import MANIFEST_FILE, Manifest
from adapterkit.names import AdapterRef, Version, check_name
from adapterkit.registry.aliases import LATEST, PRODUCTION
from adapterkit.registry.collect import KEEP, Collection, collect, plan_collection
from adapterkit.registry.finding import intact
from adapterkit.registry.layout import list_names, list_versions, refuse_links
from adapterkit.registry.moving import Moved, promote, rollback
from adapterkit.registry.publish import Published, publish
from adapterkit.registry.remove import Removed, remove
from adapterkit.registry.resolving import Pointer, Resolved, aliases, pointers, resolve
from adapterkit.registry.survey import Entry, survey
from adapterkit.registry.verifying import misplaced, problems_of_ancestors, verified_lineage, verify_one
from adapterkit.stores import read_file, staging_directory
from adapterkit.texts import default_registry


class Registry:
    """Published adapters under one folder.

    Args:
        path: the folder; null means `$ADAPTERKIT_REGISTRY`, or else `adapters`. It need not exist yet.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else default_registry()

    def __repr__(self) -> str:
        return f"Registry({str(self.path)!r})"

    def require_writable(self, name: str) -> None:
        """Try whether an adapter can be published here, before hours are spent on it; nothing is left behind.

        Raises:
            RegistryError: a folder cannot be created or written, or a link stands in the place of the adapter's.
        """
        refuse_links(own := self.path / check_name(name))
        # The adapter's own folder may be somebody else's in a registry that all write to.
        for folder in (self.path, own) if os.path.lexists(own) else (self.path,):
            with staging_directory(folder):
                pass

    def names(self) -> list[str]:
        """The adapters that have at least one version, sorted.

        Raises:
            RegistryError: the folder cannot be listed.
        """
        return list_names(self.path)

    def versions(self, name: str) -> list[Version]:
        """The versions of an adapter, oldest first; none when there is no such adapter.

        Raises:
            UsageError: no adapter may bear that name.
            RegistryError: the folder cannot be listed.
        """
        return list_versions(self.path / check_name(name))

    def resolve(self, ref: AdapterRef | str) -> Resolved:
        """Find the exact version that a ref means; a bare name means `latest`: the highest, unless it was rolled back.

        Raises:
            UsageError: the text is not a ref.
            RefNotFoundError: the registry holds no such adapter, version or alias; the error names the nearest.
            RegistryError: the history of the alias is damaged.
        """
        return resolve(self.path, AdapterRef.parse(ref) if isinstance(ref, str) else ref)

    def exact(self, ref: AdapterRef | str) -> AdapterRef:
        """The exact ref that a ref means; raises what `resolve` raises."""
        return self.resolve(ref).ref

    def aliases(self, name: str) -> dict[str, Version]:
        """Every alias of an adapter and the version it means, `latest` included; those that lead nowhere are left out.

        Raises:
            UsageError: no adapter may bear that name.
            RegistryError: the history of an alias is damaged, or cannot be listed.
        """
        return aliases(self.path, check_name(name))

    def pointers(self, name: str) -> list[Pointer]:
        """Every alias of an adapter, `latest` included, and what is wrong with it; nothing of that is raised.

        Raises:
            UsageError: no adapter may bear that name.
        """
        return pointers(self.path, check_name(name))

    def survey(self) -> dict[str, list[Entry]]:
        """What every version says of itself at first sight: name -> entries, oldest first.

        Raises:
            RegistryError: the folder cannot be listed.
        """
        return survey(self.path)

    def promote(self, ref: AdapterRef | str, alias: str = PRODUCTION) -> Moved:
        """Point an alias at a version, once that verifies with all its ancestors.

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

    def manifest(self, ref: AdapterRef | str) -> Manifest:
        """Read what an adapter says of itself, without verifying its bytes.

        Raises:
            UsageError: the text is not a ref.
            RefNotFoundError: the registry does not hold it.
            ArtifactError: metadata.json is not a manifest.
            RegistryError: the manifest names another adapter or version than its directory does.
        """
        found = self.resolve(ref)
        try:
            data = read_file(found.path / MANIFEST_FILE, limit=MAX_TEXT_BYTES)
        except AdapterKitError:
            refuse_hollow(found.path)
            raise
        manifest = Manifest.from_json(parse_json(data, MANIFEST_FILE))
        if manifest.ref != found.ref:
            raise RegistryError(f"{found.path}: {misplaced(manifest, found.ref)}")
        return manifest

    def artifact(self, ref: AdapterRef | str, *, keys: Sequence[PublicKey] = ()) -> Artifact:
        """Verify one adapter, not its ancestors, and read it; keys demand a valid signature by one of them.

        Raises:
            UsageError: the text is not a ref.
            RefNotFoundError: the registry does not hold it.
            ArtifactError: it is not intact, or is not the adapter that its directory names.
        """
        return from_report(verify_one(self.resolve(ref), keys))

    def verify(self, ref: AdapterRef | str, *, keys: Sequence[PublicKey] = ()) -> VerificationReport:
        """Verify an adapter and every ancestor that its lineage names.

        Args:
            ref: the adapter.
            keys: when there are any, it and every ancestor must bear a valid signature by one of them.

        Raises:
            UsageError: the text is not a ref.
            RefNotFoundError: the registry does not hold the adapter itself; a missing ancestor is only reported.
            MissingExtraError: a signature cannot be checked without a package that is not installed.
        """
        return self.with_ancestors(verify_one(self.resolve(ref), keys), keys=keys)

    def with_ancestors(self, report: VerificationReport, *, keys: Sequence[PublicKey] = ()) -> VerificationReport:
        """A report on an artifact alone, with what is wrong with the ancestors that it names; keys as for `verify`."""
        if report.manifest is None:
            return report
        lineage = report.manifest.lineage
        problems = self.ancestor_problems(lineage, lineage.parents, keys=keys)
        return dataclasses.replace(report, problems=(*report.problems, *problems), ancestors=len(lineage.parents))

    def ancestor_problems(
        self, lineage: Lineage, parents: tuple[LineageMember, ...], *, keys: Sequence[PublicKey] = ()
    ) -> list[Problem]:
        """What is wrong with the ancestors that a lineage names, each under `ref` or `ref/file`.

        Args:
            lineage: names the base that every ancestor must have been trained on.
            parents: the ancestors, root-first.
            keys: when there are any, each ancestor must bear a valid signature by one of them.
        """
        return problems_of_ancestors(self.path, lineage, parents, keys)

    def lineage(self, ref: AdapterRef | str) -> Lineage:
        """The chain an adapter stands on, as its manifest tells it.

        Raises:
            AdapterKitError: as `manifest`.
        """
        return self.manifest(ref).lineage

    def lineage_artifacts(self, ref: AdapterRef | str, *, keys: Sequence[PublicKey] = ()) -> list[Artifact]:
        """Every member of an adapter's lineage, root-first, each verified; the adapter itself is the last.

        Args:
            ref: the adapter.
            keys: when there are any, every member must bear a valid signature by one of them.

        Raises:
            UsageError: the text is not a ref.
            RefNotFoundError: the registry does not hold the ref, or an ancestor.
            ArtifactError: a member is damaged, is not the one that was built on, or is not signed as demanded.
            MissingExtraError: a signature cannot be checked without a package that is not installed.
        """
        return verified_lineage(self.path, self.resolve(ref), keys)

    def find_run_key(self, name: str, run_key: str) -> Artifact | None:
        """The newest intact artifact of an adapter that was made under a run key; damaged ones are passed over.

        Raises:
            RegistryError: the folder cannot be listed.
        """
        return next(intact(self, name, run_key), None)

    def find_same(self, name: str, run_key: str, weights_digest: str) -> Artifact | None:
        """The newest intact artifact of an adapter with a run key and these very weights.

        Raises:
            RegistryError: the folder cannot be listed.
        """
        same = (found for found in intact(self, name, run_key) if found.manifest.weights_digest == weights_digest)
        return next(same, None)

    def plan_collection(self, *, keep: int = KEEP) -> Collection:
        """What nothing needs: no alias, no rollback, no child, and not among the newest `keep` versions of its adapter.

        Raises:
            UsageError: `keep` is less than 1.
            RegistryError: what something needs cannot be read.
        """
        return plan_collection(self, keep=keep)

    def collect(self, planned: Collection, *, keep: int = KEEP) -> Collection:
        """Remove what was planned, as far as nothing needs it still; returns what is gone.

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
