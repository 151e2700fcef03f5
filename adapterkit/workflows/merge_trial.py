"""A merge on its base: what each source kept of its held-out loss, and the proof that the adapter is what it says."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from peft import LoraConfig

from adapterkit.artifacts import Artifact, parse_adapter_config
from adapterkit.base.device import resolve_device
from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify
from adapterkit.base.resident import resident_base
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.data.collate import PadCollator
from adapterkit.data.encode import as_dataset
from adapterkit.data.template import EncodedRow
from adapterkit.errors import BaseLoadError, StackError
from adapterkit.evaluation.logits import gap
from adapterkit.evaluation.loss import RowLoss, mean_loss, row_losses
from adapterkit.evaluation.paired import PairedChange, paired_change
from adapterkit.evaluation.parity import Parity, prompt_logits
from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import ADAPTER_CONFIG_FILE, BaseRecord
from adapterkit.merging.performance import MeasuredLoss
from adapterkit.serving.session import as_trained
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.fit import require_lineage
from adapterkit.stack.member import lora_config_of
from adapterkit.stack.plain_peft import in_plain_peft
from adapterkit.workflows.held_out import Text
from adapterkit.workflows.merge_plan import MergePlan
from adapterkit.workflows.parity import proven_parity

_log = logging.getLogger(__name__)

# What stands on the base, root-first, and how it was measured.
_Key = tuple[Any, ...]
# While a base stays in memory, a sweep measures what its jobs share once: the model is the one it was, or another.
_known: WeakKeyDictionary[torch.nn.Module, dict[_Key, list[RowLoss]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class SourceLosses:
    """One source on rows that it was not trained on.

    Attributes:
        ref: the source's.
        text: where the rows come from.
        rows: as the model sees them.
        without: losses of base and parents alone, row by row; empty where there are no rows.
        alone: with the source.
    """

    ref: str
    text: Text
    rows: Sequence[EncodedRow]
    without: Sequence[RowLoss]
    alone: Sequence[RowLoss]

    @property
    def measured(self) -> MeasuredLoss:
        """Both in nats a token."""
        if not self.alone:
            return MeasuredLoss(self.ref, None, None)
        return MeasuredLoss(self.ref, mean_loss(self.without), mean_loss(self.alone))


@dataclass(frozen=True)
class Kept:
    """What a source kept of its held-out loss.

    Attributes:
        ref: the source's.
        source: where the rows come from.
        why: why there are none; empty where there are.
        without: of base and parents alone, nats a token; null where there are no rows.
        change: from the source alone to the merge, on the same rows.
    """

    ref: str
    source: str
    why: str = ""
    without: float | None = None
    change: PairedChange | None = None

    @property
    def share(self) -> float | None:
        """What the merge gains on these rows, as a share of what the source gains; null where that is nothing."""
        if self.without is None or self.change is None or (gained := self.without - self.change.before) <= 0:
            return None
        return (self.without - self.change.after) / gained

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        if self.change is None or self.without is None:
            return {"ref": self.ref, "data": self.source, "not_measured": self.why}
        change = self.change
        return {
            "ref": self.ref,
            "data": self.source,
            "rows": change.rows,
            "tokens": change.tokens,
            "loss_without": self.without,
            "loss_of_source": change.before,
            "loss_of_merge": change.after,
            "kept": self.share,
            "change_a_row": [change.change, change.ci95_low, change.ci95_high],
        }


@dataclass(frozen=True)
class MergeProof:
    """What was proven of a merge before it was published.

    Attributes:
        parity: without its change it is what it stands on.
        plain_positions: places at which plain PEFT gives our logits, to the last bit.
    """

    parity: Parity
    plain_positions: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.parity.to_json(), "plain_peft": {"largest": 0.0, "positions": self.plain_positions}}


class Trial:
    """The base of a merge in memory; nothing is attached to it between calls."""

    def __init__(self, plan: MergePlan) -> None:
        """Load it, or take the one that the process holds.

        Raises:
            BaseLoadError, BaseMismatchError: it is not here, or not the one that the sources were trained on.
        """
        self._plan, self._recorded = plan, plan.identity
        held = as_trained(self._recorded)
        identity, folder = _found(self._recorded, held)
        require_lineage([each.manifest for each in (*plan.parents, plan.sources[0])], identity)
        self._base, self._before = resident_base(
            identity, folder, held, device=resolve_device(plan.config.device), attn_implementation="auto"
        )
        self._known = _known.setdefault(self._base.model, {})

    def sources(self, texts: Sequence[Text]) -> list[SourceLosses]:
        """Measure every source, and what it stands on, on its rows.

        Args:
            texts: one for each source.

        Raises:
            DataError: a row cannot be encoded.
        """
        return [self._source(*each) for each in zip(self._plan.sources, texts, strict=True)]

    def _source(self, source: Artifact, text: Text) -> SourceLosses:
        ref = str(source.ref)
        if text.why:
            return SourceLosses(ref, text, (), (), ())
        rows = text.encoded(self._base.tokenizer, self._plan.config.held_out.max_rows)
        if len(rows) < 2:
            return SourceLosses(ref, replace(text, why="fewer than two rows fit data.max_length"), (), (), ())
        held = self._plan.config.held_out
        how, below = (*text.key, held.max_rows, held.batch_size), [*map(_weights, self._plan.parents)]
        without, alone = (*below, how), (*below, _weights(source), how)
        if not {without, alone} <= self._known.keys():
            _log.info("Measuring %s on %d rows of %s", ref, len(rows), text.source)
            self._measure(source, rows, without, alone)
        return SourceLosses(ref, text, rows, self._known[without], self._known[alone])

    def _measure(self, source: Artifact, rows: Sequence[EncodedRow], without: _Key, alone: _Key) -> None:
        stack = AdapterStack(self._base)
        try:
            stack.attach([*self._plan.parents, source])
            if without not in self._known:
                with stack.without_top() as model:
                    self._known[without] = self._losses(model, rows)
            if alone not in self._known:
                self._known[alone] = self._losses(stack.model, rows)
        finally:
            stack.detach()

    def merged(self, folder: Path, losses: Sequence[SourceLosses]) -> tuple[list[Kept], MergeProof | None]:
        """Measure the merge where its sources were measured, and prove what it is.

        Args:
            folder: the two files of the merged adapter.
            losses: from `sources`.

        Raises:
            ParityError, StackError: it is not what it says; nothing may be published.
        """
        stack = AdapterStack(self._base)
        try:
            stack.attach(self._plan.parents)
            stack.add_trainee(self._plan.name, _settings_in(folder), seed=0)
            stack.load_trainee(folder)
            stack.model.eval()
            kept = [self._kept(stack.model, each) for each in losses]
            if not self._plan.config.test_decode_parity:
                return kept, None
            parity = proven_parity(stack, self._base.tokenizer, self._plan.name)
            ours = prompt_logits(stack.model, self._base.tokenizer)
        finally:
            stack.detach()
        return kept, MergeProof(parity, self._in_plain_peft(folder, ours))

    def unchanged(self) -> BaseRecord:
        """The base as the trial met it, and left it.

        Raises:
            FrozenChangedError: it is not the same, bit for bit; nothing may be published.
        """
        after = fingerprint(self._base.model)
        self._before.require_equal(after)
        return BaseRecord(self._recorded, self._before.digest, after.digest, len(after.tensors))

    def _losses(self, model: Any, rows: Sequence[EncodedRow]) -> list[RowLoss]:
        collate = PadCollator(self._base.tokenizer.pad_token_id)
        batch = self._plan.config.held_out.batch_size
        return row_losses(model, list(as_dataset(rows)), collate, batch_size=batch)

    def _kept(self, model: Any, source: SourceLosses) -> Kept:
        if not source.alone:
            return Kept(source.ref, source.text.source, source.text.why)
        change = paired_change(source.alone, self._losses(model, source.rows))
        return Kept(source.ref, source.text.source, "", mean_loss(source.without), change)

    def _in_plain_peft(self, folder: Path, ours: torch.Tensor) -> int:
        """At how many places it gives our logits.

        Raises:
            StackError: it gives others at one.
        """
        with in_plain_peft(self._base, [*(each.path for each in self._plan.parents), folder]) as model:
            largest = gap(ours, prompt_logits(model, self._base.tokenizer)).largest
        if largest != 0.0:
            raise StackError(
                f"'{self._plan.name}' gives other logits in plain PEFT than here, by up to {largest:.3g}. Nothing was "
                "published. To publish it all the same: test_decode_parity=false"
            )
        _log.info("In plain PEFT it gives the same logits at %d places, to the last bit", len(ours))
        return len(ours)


def _found(recorded: BaseIdentity, held: QuantizationConfig) -> tuple[BaseIdentity, Path]:
    try:
        return identify(ModelConfig(id=recorded.id, revision=recorded.revision), held)
    except BaseLoadError as error:
        raise BaseLoadError(
            recorded.id,
            f"{error.what}\nTo merge without it, which measures and proves nothing: held_out.recorded=false "
            "test_decode_parity=false",
        ) from error


def _settings_in(folder: Path) -> LoraConfig:
    return lora_config_of(parse_adapter_config((folder / ADAPTER_CONFIG_FILE).read_bytes()), frozen=False)


def _weights(adapter: Artifact) -> str:
    return adapter.manifest.weights_digest
