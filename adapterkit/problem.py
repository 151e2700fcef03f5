"""What a verification says of one file."""

from __future__ import annotations

from dataclasses import dataclass

# The kinds of problems.
DAMAGE, UNSIGNED, MISMATCH = "damage", "unsigned", "mismatch"


@dataclass(frozen=True)
class Problem:
    """One thing found wrong: the file (or, for an ancestor, `ref` or `ref/file`) and what is the matter with it.

    `kind` is `damage`, `unsigned` (no signature that a given key could check) or `mismatch` (one that is none's).
    """

    file: str
    what: str
    kind: str = DAMAGE

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"
