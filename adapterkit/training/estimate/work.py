"""What a training has to compute: its steps, batch by batch, and what it evaluates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from adapterkit.config.schema import TrainerConfig
from adapterkit.data.template import IGNORED, EncodedRow
from adapterkit.data.token_rows import labels_counts_of, lengths_of
from adapterkit.errors import UsageError
from adapterkit.training.batching import LengthGroupedSampler

# 100 steps a second would take a whole day.
_MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class Batch:
    """Several rows at once.

    Attributes:
        rows: how many.
        width: tokens of the longest.
        tokens: of all, padding not counted.
        kept: positions at which any of them has a label, for each row.
    """

    rows: int
    width: int
    tokens: int
    kept: int


@dataclass(frozen=True)
class Work:
    """One training, counted.

    Attributes:
        rows: of the training split.
        row_tokens: of all of them, once.
        step_tokens: tokens of each optimizer step, in order.
        label_share: of the training tokens, those that are learned.
        largest: the training batch that takes most memory.
        evaluate_every: steps from one look at the validation rows to the next.
        validation_tokens: of all validation rows.
        test_tokens: of all test rows.
        largest_evaluated: the batch of validation or test rows that takes most memory; null without any.
        save_every: steps from one checkpoint to the next.
        entries: how often something is logged.
    """

    rows: int
    row_tokens: int
    step_tokens: tuple[int, ...]
    label_share: float
    largest: Batch
    evaluate_every: int
    validation_tokens: int
    test_tokens: int
    largest_evaluated: Batch | None
    save_every: int
    entries: int

    @property
    def steps(self) -> int:
        """Optimizer steps, where nothing stops the training early."""
        return len(self.step_tokens)

    @property
    def tokens(self) -> int:
        """Tokens trained on, rows of every epoch counted again."""
        return sum(self.step_tokens)

    def evaluations(self, done: int = 0) -> int:
        """Looks at the validation rows after so many steps are done; the last step is always followed by one."""
        return _times(self.steps, self.evaluate_every, done) if self.validation_tokens else 0

    def saves(self, done: int = 0) -> int:
        """Checkpoints after so many steps are done; the last step is always followed by one."""
        return _times(self.steps, self.save_every, done)


def work_of(
    train: Sequence[EncodedRow],
    validation: Sequence[EncodedRow],
    test: Sequence[EncodedRow],
    config: TrainerConfig,
    *,
    seed: int,
) -> Work:
    """Count a training; the order of its batches is the one that the trainer will take.

    Args:
        train: rows to learn from, one at least.
        validation: rows to evaluate on while training.
        test: rows to evaluate on at the end.
        config: batch size, epochs, how often to evaluate, save and log.
        seed: of the training.

    Raises:
        UsageError: it would not come to an end.
    """
    an_epoch = steps_an_epoch(config, len(train))
    exact = exact_steps(config, an_epoch)
    steps = exact if exact > 0 else math.ceil(config.epochs * an_epoch)
    if steps > _MOST_STEPS:
        said = f"trainer.epochs={config.epochs:g}" if exact <= 0 else f"trainer.max_steps={config.max_steps}"
        raise UsageError(f"{said} would be {steps:,} optimizer steps on {len(train):,} rows: {_MOST_STEPS:,} at most.")
    evaluate_every = config.eval_steps or an_epoch
    looks = _times(steps, evaluate_every) if validation else 0
    evaluated = [_widest(rows, config.batch_size) for rows in (validation, test) if rows]
    return Work(
        rows=len(train),
        row_tokens=int(lengths_of(train).sum()),
        step_tokens=tuple(islice(_step_tokens(lengths_of(train).tolist(), config, seed), steps)),
        label_share=int(labels_counts_of(train).sum()) / int(lengths_of(train).sum()),
        largest=_batch(_longest(train, config.batch_size)),
        evaluate_every=evaluate_every,
        validation_tokens=int(lengths_of(validation).sum()),
        test_tokens=int(lengths_of(test).sum()),
        largest_evaluated=max(evaluated, key=lambda batch: batch.rows * batch.kept, default=None),
        save_every=config.save_steps or an_epoch,
        entries=-(-steps // config.logging_steps) + looks + 1,
    )


def steps_an_epoch(config: TrainerConfig, rows: int) -> int:
    """Optimizer steps of one pass over so many rows; the last may be of fewer batches, and of fewer rows."""
    return math.ceil(math.ceil(rows / config.batch_size) / config.gradient_accumulation_steps)


def exact_steps(config: TrainerConfig, steps_an_epoch: int) -> int:
    """What the Trainer takes as `max_steps`, which to it is no limit: it goes through the rows again until it is there.

    Args:
        config: the trainer settings.
        steps_an_epoch: optimizer steps of one pass.

    Returns:
        -1 where `epochs` decide.
    """
    if config.max_steps != -1 or config.step_limit is None:
        return config.max_steps
    return -1 if math.ceil(config.epochs * steps_an_epoch) <= config.step_limit else config.step_limit


def _times(steps: int, every: int, done: int = 0) -> int:
    return math.ceil(steps / every) - done // every


def _step_tokens(lengths: Sequence[int], config: TrainerConfig, seed: int) -> Iterator[int]:
    """Tokens of each optimizer step, epoch after epoch, without end."""
    sampler = LengthGroupedSampler(lengths, config.batch_size, seed=seed)
    together = config.batch_size * config.gradient_accumulation_steps
    epoch = 0
    while True:
        sampler.set_epoch(epoch)
        order = iter(sampler)
        while rows := list(islice(order, together)):
            yield sum(lengths[row] for row in rows)
        epoch += 1


def _widest(rows: Sequence[EncodedRow], batch_size: int) -> Batch:
    """The last full batch of those that `row_losses` makes, or the last: both hold the longest rows."""
    short = len(rows) % batch_size or batch_size
    longest = _longest(rows, short + batch_size)
    batches = [longest[:-short], longest[-short:]] if len(longest) > short else [longest]
    return max(map(_batch, batches), key=lambda batch: batch.rows * batch.kept)


def _longest(rows: Sequence[EncodedRow], count: int) -> list[EncodedRow]:
    """So many of the longest rows, the longest last; of two as long as each other the later one is taken for longer."""
    order = lengths_of(rows).argsort(kind="stable")
    return [rows[index] for index in order[-count:].tolist()]


def _batch(rows: Sequence[EncodedRow]) -> Batch:
    labelled = set(chain.from_iterable(_labelled(row) for row in rows))
    lengths = [row.length for row in rows]
    return Batch(len(rows), max(lengths), sum(lengths), len(labelled))


def _labelled(row: EncodedRow) -> Iterator[int]:
    return (place for place, label in enumerate(row.labels) if label != IGNORED and place > 0)
