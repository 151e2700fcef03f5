"""The ranks of a launch: they meet at named places, and an error of one is an error of all."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from adapterkit.errors import AdapterKitError
from adapterkit.ranks.failure import Failure, leave_word, word_left
from adapterkit.texts import listed

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

_LAST_WORDS = timedelta(seconds=10)
_BROKEN = re.compile(r"connection|socket|peer|timed? ?out|nccl|gloo", re.IGNORECASE)


class RankStoppedError(AdapterKitError):
    """Another rank stopped, so this one does.

    Attributes:
        failures: of the ranks that stopped by themselves, by number; empty where one vanished without a word.
    """

    def __init__(self, what: str, failures: tuple[Failure, ...] = ()) -> None:
        self.failures = failures
        self.exit_code = failures[0].code if failures else 1
        super().__init__(what)


class RanksPartedError(AdapterKitError):
    """Ranks of one launch are not of one mind; nothing may be published."""


class Ranks:
    """All processes of a launch, as one of them sees them.

    Every exchange begins with a meeting: one small sum over all ranks that says whether one of them failed, and whether
    all are at the same place. So an error on one rank ends all of them at their next exchange, where an exchange alone
    would wait until its time is out.

    Args:
        number: this rank, from 0.
        count: how many there are; 1 exchanges nothing.
        sharded: whether each holds a part of the base: then all must run as many forward passes.
    """

    def __init__(self, number: int = 0, count: int = 1, *, sharded: bool = False) -> None:
        """Nobody has met yet."""
        self.number, self.count, self.sharded = number, count, sharded
        self._met, self._in_step = 0, False

    @property
    def alone(self) -> bool:
        """Whether there is one process only."""
        return self.count == 1

    @property
    def leads(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.number == 0

    def __str__(self) -> str:
        return f"rank {self.number} of {self.count}"

    def meet(self, place: str) -> None:
        """Wait for all ranks at one place.

        Raises:
            RankStoppedError: another rank failed, or is gone.
            RanksPartedError: another rank is at another place.
        """
        if self.alone:
            return
        self._met += 1
        code = zlib.crc32(f"{self._met} {place}".encode())
        failed, most, least = self._poll(False, code)
        if failed:
            raise self._stopped(self._gathered(None))
        if most != -least:
            places = self._gathered(place)
            told = listed([f"rank {number}: {where}" for number, where in enumerate(places)])
            raise RanksPartedError(
                f"The ranks are at different places.{told}\nSomething outside changed while they ran, such as an "
                "adapter that was published. Start the training again."
            )

    def fail(self, failure: Failure) -> list[Failure]:
        """Tell all ranks that this one failed, at whatever place they are; all failures, by rank."""
        if self.alone:
            return [failure]
        leave_word(failure)
        if self._in_step:
            # The others wait for this rank's part of a layer, and not at a meeting: its leaving is what they notice.
            return [failure]
        self._poll(True, 0)
        told: list[Failure | None] = self._gathered(failure)
        return [each for each in told if each is not None]

    def outlast_first(self) -> None:
        """Wait until rank 0 has left, for a while: a launcher ends all as soon as one leaves, though it be speaking."""
        import torch
        import torch.distributed as dist

        if self._in_step:
            return
        with suppress(RuntimeError):
            dist.all_reduce(torch.zeros(1), async_op=True).wait(_LAST_WORDS)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Computing, where a sharded base makes ranks exchange its layers meanwhile.

        Raises:
            RankStoppedError: another rank failed, or is gone.
        """
        if not self.sharded:
            yield
            return
        self._in_step = True
        with self._told_when_gone():
            yield
        self._in_step = False

    def gather(self, place: str, value: T) -> list[T]:
        """Every rank's value, by rank, on every rank.

        Raises:
            RankStoppedError, RanksPartedError: as `meet`.
        """
        if self.alone:
            return [value]
        self.meet(place)
        return self._gathered(value)

    def total(self, place: str, value: int) -> int:
        """The sum of every rank's number.

        Raises:
            RankStoppedError, RanksPartedError: as `meet`.
        """
        import torch

        sum_of_all = torch.tensor(value, dtype=torch.int64)
        if not self.alone:
            self.add_up(place, sum_of_all)
        return int(sum_of_all)

    def from_first(self, place: str, function: Callable[[], T]) -> T:
        """What a function returns on rank 0, which alone calls it.

        Raises:
            RankStoppedError, RanksPartedError: as `meet`; where the function raises, its error on rank 0.
        """
        if self.alone:
            return function()
        return self.gather(place, function() if self.leads else None)[0]  # type: ignore[return-value]

    def in_turn(self, place: str, function: Callable[[], T]) -> T:
        """What a function returns, called by rank 0 first, so that the others find what it leaves on the disk."""
        if self.leads:
            found = function()
            self.meet(place)
            return found
        self.meet(place)
        return function()

    def require_same(self, what: str, digest: str) -> None:
        """Demand that a digest is the same on every rank.

        Raises:
            RanksPartedError: it is not.
        """
        digests = self.gather(what, digest)
        if len(set(digests)) > 1:
            told = listed([f"rank {number}: {each[:16]}" for number, each in enumerate(digests)])
            raise RanksPartedError(
                f"Ranks differ in {what}, and must have the same, bit for bit.{told}\nNothing was published. Let all "
                "ranks run on machines of one kind, with the same files and the same versions of the libraries."
            )

    def add_up(self, place: str, values: torch.Tensor) -> None:
        """Replace a tensor by its sum over all ranks; every rank gets the same bits.

        Raises:
            RankStoppedError, RanksPartedError: as `meet`.
        """
        import torch.distributed as dist

        self.meet(place)
        with self._told_when_gone():
            dist.all_reduce(values)

    @contextmanager
    def _told_when_gone(self) -> Iterator[None]:
        """A broken connection is told by torch as a RuntimeError, as many other things are."""
        try:
            yield
        except RuntimeError as error:
            if (failure := word_left()) is not None:
                raise self._stopped([failure]) from error
            if not _BROKEN.search(str(error)):
                raise
            raise RankStoppedError(
                "Another rank ended without a word: it was killed, perhaps because memory ran out, or its machine is "
                "gone. Nothing was published. The same command with resume=auto goes on from the last checkpoint. "
                f"({error})"
            ) from error

    def _poll(self, failed: bool, code: int) -> list[int]:
        import torch
        import torch.distributed as dist

        told = torch.tensor([int(failed), code, -code] if not failed else [1, 0, 0], dtype=torch.int64)
        with self._told_when_gone():
            dist.all_reduce(told, op=dist.ReduceOp.MAX)
        return [int(each) for each in told]

    def _gathered(self, value: T) -> list[T]:
        import torch.distributed as dist

        found: list[T] = [value] * self.count
        with self._told_when_gone():
            dist.all_gather_object(found, value)
        return found

    def _stopped(self, told: Sequence[Failure | None]) -> RankStoppedError:
        failures = tuple(each for each in told if each is not None)
        lines = [f"rank {each.number} of {self.count}: {each.message}" for each in failures]
        return RankStoppedError("\n".join(lines), failures)
