"""What can be asked of a folder of published adapters. It keeps no state besides the file system."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from adapterkit.artifacts import (
    MAX_TEXT_BYTES,
    Artifact,
    PublicKey,
    VerificationReport,
    from_report,
    parse_json,
)
from adapterkit.artifacts.read import refuse_hollow
from adapterkit.errors import AdapterKitError, ArtifactError, RegistryError
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest import MANIFEST_FILE, Manifest
from adapterkit.names import AdapterRef, Version, check_name
from adapterkit.problem import Problem
from adapterkit.registry.layout import list_names, list_versions
from adapterkit.registry.resolving import Pointer, Resolved, aliases, pointers, resolve
from adapterkit.registry.survey import Entry, survey
from adapterkit.registry.verifying import ancestor_problems, misplaced, verified_lineage, verify_one
from adapterkit.stores import read_file
from adapterkit.texts import default_registry


class Shelf:
    """Published adapters under one folder, to read; `Registry` changes them too.

    Args:
        path: the folder; null means `$ADAPTERKIT_REGISTRY`, or else `adapters`. It need not exist yet.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else default_registry()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

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
        try:
            manifest = Manifest.from_json(parse_json(data, MANIFEST_FILE))
        except ArtifactError as error:
            raise ArtifactError(f"{error}, in {found.path}", error.problems) from error
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
        return ancestor_problems(self.path, lineage, parents, keys)

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
