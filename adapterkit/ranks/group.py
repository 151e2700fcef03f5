"""The ranks of a launch: they meet at named places, and an error of one is an error of all."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from adapterkit.errors import AdapterKitError, listed

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Why a rank stopped: its number, the exit code it leaves with, and what it says."""

    number: int
    code: int
    message: str


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
    """

    def __init__(self, number: int = 0, count: int = 1) -> None:
        """Nobody has met yet."""
        self.number, self.count = number, count
        self._met = 0

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
            self._stop(self._gathered(None))
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
        self._poll(True, 0)
        told: list[Failure | None] = self._gathered(failure)  # type: ignore[arg-type,assignment]
        return [each for each in told if each is not None]

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
        return sum(self.gather(place, value))

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
        with _told_when_gone():
            dist.all_reduce(values)

    def _poll(self, failed: bool, code: int) -> list[int]:
        import torch
        import torch.distributed as dist

        told = torch.tensor([int(failed), code, -code] if not failed else [1, 0, 0], dtype=torch.int64)
        with _told_when_gone():
            dist.all_reduce(told, op=dist.ReduceOp.MAX)
        return [int(each) for each in told]

    def _gathered(self, value: T) -> list[T]:
        import torch.distributed as dist

        found: list[T] = [value] * self.count
        with _told_when_gone():
            dist.all_gather_object(found, value)
        return found

    def _stop(self, told: list[Failure | None]) -> None:
        failures = tuple(each for each in told if each is not None)
        lines = [f"rank {each.number} of {self.count}: {each.message}" for each in failures]
        raise RankStoppedError("\n".join(lines), failures)


@contextmanager
def _told_when_gone() -> Iterator[None]:
    """A broken connection is told by torch as a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise RankStoppedError(
            "Another rank ended without a word: it was killed, perhaps because memory ran out, or its machine is gone. "
            f"Nothing was published. The same command with resume=auto goes on from the last checkpoint. ({error})"
        ) from error
