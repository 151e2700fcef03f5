"""A stack on a live model: how its members add up, what is active, and how it answers without its top member.

This package is the only place that calls PEFT's adapter switching, and a stack is switched here. PEFT 0.21's
`PeftModel.set_adapter` takes one name only, its tuner's `set_adapter` makes every listed adapter trainable, and
deleting an adapter re-enables gradients on the rest; so every switch ends in a statement of what may be trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

from peft import LoraModel, PeftModel

from adapterkit.base.load import Base
from adapterkit.errors import StackError
from adapterkit.stack.blend import ADDITIVE, Blend, blend_of
from adapterkit.stack.fit import require_blendable
from adapterkit.stack.layers import rescale
from adapterkit.stack.member import StackMember
from adapterkit.stack.merged import MergedBase
from adapterkit.stack.zero_delta import zero_delta


class LiveStack:
    """Members on a live base, root-first.

    Attributes:
        base: what they stand on.
        members: root-first; the last may be in training.
        blended: how they add up.
    """

    def __init__(self, base: Base) -> None:
        """Take a base without adapters."""
        self.base = base
        self.members: list[StackMember] = []
        self.blended = Blend.plain(0)
        self._merged: MergedBase | None = None
        self._peft: PeftModel | None = None

    @property
    def model(self) -> PeftModel:
        """The PeftModel with every member active.

        Raises:
            StackError: nothing is attached.
        """
        if self._peft is None:
            raise StackError("The stack is empty: attach a lineage or add a trainee first.")
        return self._peft

    @property
    def _tuner(self) -> LoraModel:
        return cast(LoraModel, self.model.base_model)

    def blend(self, kind: str | None = None, weights: Sequence[float] | None = None) -> None:
        """Add the members up in another way from now on; without arguments, as they were trained.

        Args:
            kind: `additive` (null), base + a * parent + b * child; or `interpolative`, the same over a + b.
            weights: one for each member, root-first; null: 1 for each.

        Raises:
            UsageError: the weights are not one finite number a member, or add up to zero where they may not.
            StackError: a member is in training, or is a DoRA that is not what it was under these weights; or the stack
                is merged into its base.
        """
        wanted = blend_of(len(self.members), kind, weights)
        self._require_unmerged("blended otherwise")
        require_blendable([member.artifact for member in self.members], wanted)
        self._rescale(wanted)
        self.blended = wanted

    def merge(self) -> Mapping[str, float]:
        """Put the members' changes into the weights of the base, for speed; `unmerge` brings back the very bits.

        Until then the layers that are changed are held twice.

        Returns:
            By the layer's name, the share of its change that rounding to the base's dtype took (Frobenius norms).

        Raises:
            StackError: the base is quantized or cut among ranks, or the stack is merged already; nothing was changed.
        """
        self._require_unmerged("merged again")
        self._merged = MergedBase(self.model, [member.peft_name for member in self.members])
        return self._merged.losses

    def unmerge(self) -> None:
        """Bring back the base that was there before `merge`, bit for bit; without a merge, nothing happens."""
        if self._merged is not None:
            self._merged.unmerge()
        self._merged = None

    @contextmanager
    def without_top(self) -> Iterator[PeftModel]:
        """The model as it answers without its top member: the parents' stack in the same blend, or the bare base.

        Raises:
            StackError: the stack is merged into its base.
            UsageError: the blend is interpolative, and the parents' weights add up to zero.
        """
        self._require_unmerged("taken apart")
        below = [member.peft_name for member in self.members[:-1]]
        try:
            if below:
                self._rescale(self.blended.without_last())
                self._tuner.set_adapter(below, inference_mode=True)
                yield self.model
            else:
                with self.model.disable_adapter():
                    yield self.model
        finally:
            self._rescale(self.blended)
            self._activate_all()

    @contextmanager
    def with_zero_delta(self) -> Iterator[PeftModel]:
        """The model with a top member that changes nothing: its B zero, or under the interpolative blend its weight.

        Raises:
            StackError, UsageError: as `without_top`.
        """
        self._require_unmerged("taken apart")
        if self.blended.kind == ADDITIVE:
            with zero_delta(self.model, self.members[-1].peft_name):
                yield self.model
            return
        try:
            self._rescale(self.blended.silencing_last())
            yield self.model
        finally:
            self._rescale(self.blended)

    def _rescale(self, blend: Blend) -> None:
        names = [member.peft_name for member in self.members]
        rescale(self.model, dict(zip(names, blend.coefficients, strict=False)))

    def _require_plain(self) -> None:
        self._require_unmerged("built on")
        if not self.blended.is_plain:
            raise StackError(
                f"The stack is blended ({self.blended}), and what is built on it is built on the plain sum: an "
                "artifact has no place for other weights below it. Call blend() first, or flatten the blend and build "
                "on that."
            )

    def _require_unmerged(self, what: str) -> None:
        if self._merged is not None:
            raise StackError(f"The stack is merged into its base, and cannot be {what}: call unmerge() first.")

    def _activate_all(self) -> None:
        names = [member.peft_name for member in self.members]
        self._tuner.set_adapter(names, inference_mode=True)
        if self.members[-1].trainable:
            self.model.set_requires_grad(names[-1], True)
