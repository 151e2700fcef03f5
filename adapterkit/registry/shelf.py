"""What the parts of a registry ask of the whole; `Registry` is one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from adapterkit.artifacts import Artifact, Problem, VerificationReport
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef, Version


class Shelf(Protocol):
    """Published adapters under one folder."""

    path: Path

    def names(self) -> list[str]:
        """The adapters that have a version."""

    def versions(self, name: str) -> list[Version]:
        """The versions of an adapter, oldest first."""

    def exact(self, ref: AdapterRef | str) -> AdapterRef:
        """The exact ref that a ref means."""

    def manifest(self, ref: AdapterRef | str) -> Manifest:
        """What a version says of itself."""

    def artifact(self, ref: AdapterRef | str) -> Artifact:
        """A version, verified by itself."""

    def verify(self, ref: AdapterRef | str) -> VerificationReport:
        """Verify an adapter with its ancestors."""

    def find_same(self, name: str, run_key: str, weights_digest: str) -> Artifact | None:
        """The newest intact artifact with a run key and these very weights."""

    def ancestor_problems(self, lineage: Lineage, parents: tuple[LineageMember, ...]) -> list[Problem]:
        """What is wrong with the ancestors that a lineage names."""
