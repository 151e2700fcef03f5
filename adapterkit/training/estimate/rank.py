"""Which rank suits how many examples: a rule of thumb of earlier systems, a suggestion and never a refusal."""

from __future__ import annotations

# At most so many rows -> rank; beyond, the last rank.
_FEW, _SOME = 20, 50


def suggested_rank(rows: int) -> int:
    """Rank 4 below 20 rows, 8 up to 50, 16 above: more rank than examples can fill only learns them by heart."""
    return 4 if rows < _FEW else 8 if rows <= _SOME else 16


def kept_alpha(rank: int, alpha: float, other: int) -> float:
    """The alpha that keeps alpha / r, by which LoRA scales its update, at another rank."""
    return alpha * other / rank


def rank_suggestion(rank: int, alpha: float, suggested: int, rows: int) -> str | None:
    """One line where another rank is suggested than the one chosen, else null.

    Args:
        rank: the chosen one.
        alpha: the chosen one.
        suggested: the rank for so many rows, or the largest below it that is within the budget.
        rows: of the training split.
    """
    if suggested == rank:
        return None
    most = "" if suggested == suggested_rank(rows) else ", the most within the budget"
    return (
        f"Suggestion: adapter.r={suggested} adapter.lora_alpha={kept_alpha(rank, alpha, suggested):g} for {rows} "
        f"examples{most}, where this trains r={rank}, alpha={alpha:g} (a rule of thumb of earlier systems: r4 below "
        f"{_FEW}, r8 up to {_SOME}, r16 above; alpha / r is kept)"
    )
