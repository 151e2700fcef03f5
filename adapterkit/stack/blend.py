"""How the members of a stack add up: a kind of sum, and one weight for each member."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest
from adapterkit.texts import counted

ADDITIVE, INTERPOLATIVE = "additive", "interpolative"
KINDS = (ADDITIVE, INTERPOLATIVE)


@dataclass(frozen=True)
class Blend:
    """How a stack adds up.

    `additive` is base + a * parent + b * child, `interpolative` is base + (a * parent + b * child) / (a + b).

    Attributes:
        kind: additive or interpolative.
        weights: one for each member, root-first; any finite numbers, negative ones too.
    """

    kind: str
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("blend", self.kind, nearest(self.kind, KINDS), hint=f"It is {' or '.join(KINDS)}.")
        if bad := [weight for weight in self.weights if not math.isfinite(weight)]:
            raise UsageError(
                f"The weight {bad[0]} of a blend is no finite number: give each member a number such as 0.5."
            )
        if self.weights and not self._adds_up:
            raise UsageError(
                f"The weights {_told(self.weights)} add up to {sum(self.weights):g}, and the interpolative blend "
                "divides by their sum. Give weights with another sum, or take the additive blend."
            )

    @classmethod
    def plain(cls, members: int) -> Blend:
        """As stacks are trained: everything is added, with weight 1."""
        return cls(ADDITIVE, (1.0,) * members)

    @property
    def coefficients(self) -> tuple[float, ...]:
        """What each member's change is multiplied by."""
        total = sum(self.weights)
        return self.weights if self.kind == ADDITIVE else tuple(weight / total for weight in self.weights)

    @property
    def _adds_up(self) -> bool:
        """Whether there is something to divide by: 0.1 + 0.2 - 0.3 is meant to be zero, and is 5.6e-17."""
        total, size = sum(self.weights), sum(map(abs, self.weights))
        return self.kind == ADDITIVE or (math.isfinite(size) and abs(total) > 1e-12 * size)

    @property
    def is_plain(self) -> bool:
        """Whether it comes to what stacks are trained as."""
        return all(each == 1.0 for each in self.coefficients)

    def without_last(self) -> Blend:
        """Of the members below the last one alone.

        Raises:
            UsageError: it is interpolative, and the weights below add up to zero.
        """
        return Blend(self.kind, self.weights[:-1])

    def silencing_last(self) -> Blend:
        """The same with weight 0 for the last member.

        Raises:
            UsageError: as `without_last`.
        """
        return Blend(self.kind, (*self.weights[:-1], 0.0))

    def __str__(self) -> str:
        return f"{self.kind}, {'weight' if len(self.weights) == 1 else 'weights'} {_told(self.weights)}"


def blend_of(members: int, kind: str | None = None, weights: Sequence[float] | None = None) -> Blend:
    """The blend that somebody asks for.

    Args:
        members: how many the stack has.
        kind: additive or interpolative; null: additive.
        weights: one for each member, root-first; null: 1 for each.

    Raises:
        UnknownNameError: there is no such kind.
        UsageError: these are no numbers, there are more or fewer than members, one is not finite, or they add up to
            zero where they may not.
    """
    try:
        given = (1.0,) * members if weights is None else tuple(map(float, weights))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The weights of a blend are a list of numbers, one for each member, the root's first: {weights!r} is none."
        ) from error
    if len(given) != members:
        raise UsageError(
            f"{counted(len(given), 'weight')} for a stack of {counted(members, 'member')}: give one for each, the "
            "root's first."
        )
    return Blend(ADDITIVE if kind is None else kind, given)


def _told(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)
