"""The freeze guard: proof, before every optimizer step and before anything is written, that only the trainee moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from adapterkit.base.fingerprint import Fingerprint, fingerprint
from adapterkit.errors import FrozenChangedError, TrainableSetError
from adapterkit.ranks import Ranks
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.agreement import require_alike
from adapterkit.stack.watch import Watch


class FreezeGuard:
    """Knows a stack, the fingerprint of its base, and the records of its frozen members.

    A look before a step compares objects and costs well under 1 % of the step; a look before a write hashes every byte.

    Example:
        guard = FreezeGuard(stack, before=fingerprint(base.model))
        guard.watch(optimizer)  # looks before each of its steps
        ...
        guard.before_write()
        stack.save_trainee(folder)

    Attributes:
        before: the fingerprint that the base must keep.
    """

    def __init__(
        self, stack: AdapterStack, before: Fingerprint, *, on_change: Callable[[Fingerprint], None] | None = None
    ) -> None:
        """Guard a stack with a trainee.

        Args:
            stack: frozen members and a trainee.
            before: the base's fingerprint, from before anything was attached.
            on_change: told of the fingerprint that differs, before the error is raised.
        """
        self.before = before
        self._stack = stack
        self._on_change = on_change
        self._watch: Watch | None = None
        self._optimizer: torch.optim.Optimizer | None = None

    def watch(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the stack as it stands for the one that is trained, and look before every step of this optimizer.

        The look is a hook of the optimizer itself: it runs after the trainer's callbacks, right before the step.

        Raises:
            TrainableSetError: something else than the trainee would be trained.
            FrozenChangedError, StackError: the stack is not in the state it must be in.
        """
        self._stack.require_trainable_set()
        self._watch, self._optimizer = Watch(self._stack), optimizer
        self.before_step(optimizer)

        def look(stepped: torch.optim.Optimizer, _arguments: Any, _keywords: Any) -> None:
            self.before_step(stepped)

        optimizer.register_step_pre_hook(look)

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Demand that a step would move the trainee and nothing else.

        Raises:
            TrainableSetError: others require grad, hold a gradient or an optimizer entry, or the trainee's do not.
            FrozenChangedError: a module or parameter was exchanged, an adapter merged or rescaled.
            StackError: other adapters are active than the stack's.
        """
        self.require_in_place()
        (self._watch or Watch(self._stack)).require_optimizer(optimizer)

    def require_in_place(self) -> None:
        """Demand that the stack is put together as when it was first watched; no byte is read.

        Raises:
            TrainableSetError, FrozenChangedError, StackError: as `before_step`.
        """
        if self._watch is None:
            self._stack.require_trainable_set()
        (self._watch or Watch(self._stack)).require_in_place()

    def before_write(self) -> Fingerprint:
        """Hash the base and every frozen member again, and demand the bytes they had.

        Returns:
            The fingerprint now; equal to `before`.

        Raises:
            FrozenChangedError: anything frozen moved; nothing may be written.
            TrainableSetError: something else than the trainee would be trained.
            StackError: other adapters are active than the stack's.
        """
        after = fingerprint(self._stack.model)
        try:
            self.before.require_equal(after)
        except FrozenChangedError:
            if self._on_change is not None:
                self._on_change(after)
            raise
        self.require_in_place()
        self._stack.require_frozen_unchanged()
        return after

    def require_alike(self, ranks: Ranks) -> None:
        """Demand that all ranks of a launch hold the same base, frozen adapters and trainee, bit for bit.

        Raises:
            RanksPartedError: they do not.
        """
        require_alike(ranks, self._stack, self.before)

    def require_stepped_by(self, optimizer: object) -> None:
        """Demand that this is the optimizer whose steps are watched.

        Raises:
            TrainableSetError: it was exchanged, and nobody looked before its steps.
        """
        if optimizer is not self._optimizer:
            raise TrainableSetError([], [f"(an unwatched {type(optimizer).__name__})"])
