"""Which rank suits how many examples: a rule of thumb of earlier systems, a suggestion and never a refusal."""

from __future__ import annotations

# At most so many rows -> rank; beyond, the last rank.
_FEW, _SOME = 20, 50


def suggested_rank(rows: int) -> int:
    """Rank 4 below 20 rows, 8 up to 50, 16 above: more rank than examples can fill only learns them by heart."""
    return 4 if rows < _FEW else 8 if rows <= _SOME else 16


def rank_suggestion(rank: int, rows: int) -> str | None:
    """One line where another rank is suggested than the one chosen, else null."""
    if (suggested := suggested_rank(rows)) == rank:
        return None
    return (
        f"Suggestion: adapter.r={suggested} for {rows} examples, where this trains r={rank} (a rule of thumb of "
        f"earlier systems: r4 below {_FEW}, r8 up to {_SOME}, r16 above)"
    )
