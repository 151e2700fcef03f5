"""EVA: start A from the directions in which the data drives each layer's input the most.

PEFT's own `initialize_lora_eva_weights` takes one active adapter, and measures the inputs with every adapter switched
off: for a child those are the inputs of another model. Its loop also never ends where a batch has fewer label tokens
than the rank. Here the stack itself runs, with B still zero, so that the trainee changes nothing; PEFT's incremental
PCA does the rest.

Source: Paischer et al., One Initialization to Rule them All: Fine-tuning via Explained Variance Adaptation,
arXiv:2410.07170.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft.utils.incremental_pca import IncrementalPCA
from tqdm import tqdm

from adapterkit.data.template import IGNORED
from adapterkit.errors import DataError, UsageError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.layers import lora_layers
from adapterkit.texts import counted

_log = logging.getLogger(__name__)

# The cosine between a component before and after a batch, from which on it counts as found; PEFT's tau.
_CONVERGED = 0.99

Rows = Sequence[Mapping[str, Any]]
Collate = Callable[[list[Any]], Mapping[str, torch.Tensor]]


def start_by_eva(stack: AdapterStack, rows: Rows, collate: Collate, *, batch_size: int, seed: int) -> None:
    """Give the trainee's A matrices the leading principal components of their layers' inputs at label tokens.

    Every layer keeps its rank (rho = 1). Reads batches until all components have converged, the whole data at most.

    Args:
        stack: with a fresh trainee, whose B is zero.
        rows: training rows with `input_ids` and `labels`.
        collate: makes one padded batch of several rows.
        batch_size: rows at once.
        seed: decides the order of the rows and the randomized SVD.

    Raises:
        DataError: the rows have fewer label tokens than the rank.
        UsageError: a layer has fewer inputs than the rank.
    """
    state = stack.trainee_state()
    starts = {key: tensor for key, tensor in state.items() if key.endswith(".lora_A.weight")}
    found = _Directions({key.removesuffix(".lora_A.weight"): len(tensor) for key, tensor in starts.items()}, seed)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    for a in starts.values():
        require_directions(*a.shape)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    looked_at, run = 0, _without_logits(stack)
    with found.listening(stack), torch.no_grad():
        for batch in tqdm(batches, desc="EVA", unit="batch", leave=False, disable=not sys.stderr.isatty()):
            inputs = {key: value.to(stack.base.device) for key, value in collate([rows[i] for i in batch]).items()}
            found.labelled = inputs["labels"] != IGNORED
            run(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
            looked_at += len(batch)
            if found.converged():
                break
    _log.info("EVA: directions of the inputs found in %s of %d", counted(looked_at, "row"), len(rows))
    stack.put_trainee({**state, **{f"{layer}.lora_A.weight": a for layer, a in found.components().items()}})


def require_directions(rank: int, inputs: int) -> None:
    """Demand that a layer has as many inputs as EVA shall find directions.

    Raises:
        UsageError: it has fewer.
    """
    if rank > inputs:
        raise UsageError(f"EVA finds no {rank} directions among {inputs} inputs: give adapter.r={inputs} at most.")


def _without_logits(stack: AdapterStack) -> Any:
    """The decoder alone, which is all that is looked at; the whole model where its head bears an adapter."""
    model: Any = stack.model.get_base_model()
    inside = set(model.get_decoder().modules())
    return model.get_decoder() if all(layer in inside for _, layer in lora_layers(stack.model)) else model


class _Directions:
    """The principal components of the inputs of LoRA layers; layers that share an input share its analysis."""

    def __init__(self, ranks: Mapping[str, int], seed: int) -> None:
        self._ranks, self._seed = ranks, seed
        self._leaders: dict[str, str] = {}
        self._inputs: dict[str, _Input] = {}
        self._last: tuple[str, torch.Tensor] | None = None
        self.labelled = torch.empty(0)

    @contextmanager
    def listening(self, stack: AdapterStack) -> Iterator[None]:
        """Look at what goes into each layer, in evaluation mode; hooks and mode are taken back."""
        was_training = stack.model.training
        handles = [
            layer.register_forward_pre_hook(self._listener(name))  # type: ignore[attr-defined]
            for name, layer in lora_layers(stack.model)
            if name in self._ranks
        ]
        stack.model.eval()
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            stack.model.train(was_training)

    def converged(self) -> bool:
        return bool(self._inputs) and all(each.converged for each in self._inputs.values())

    def components(self) -> dict[str, torch.Tensor]:
        """Layer -> its components, float32 (rank, inputs)."""
        return {layer: self._inputs[self._leaders[layer]].components() for layer in self._ranks}

    def _listener(self, name: str) -> Callable[[Any, tuple[Any, ...]], None]:
        def listen(_layer: Any, inputs: tuple[Any, ...]) -> None:
            self._take(name, inputs[0])

        return listen

    def _take(self, name: str, states: torch.Tensor) -> None:
        # q, k and v are called one after the other with one tensor, and so are gate and up.
        if name not in self._leaders:
            shared = self._last is not None and self._last[1] is states
            self._leaders[name] = self._last[0] if shared and self._last is not None else name
            if not shared:
                self._inputs[name] = _Input(self._ranks[name], self._seed)
                self._last = name, states
        if self._leaders[name] == name:
            self._inputs[name].add(states[self.labelled].float())


class _Input:
    """The incremental analysis of one layer's input."""

    def __init__(self, rank: int, seed: int) -> None:
        self._rank, self._waiting = rank, list[torch.Tensor]()
        self._analysis = IncrementalPCA(n_components=rank, copy=True, lowrank=True, lowrank_seed=seed)
        self.converged = False

    def add(self, states: torch.Tensor) -> None:
        """Add inputs, float32 (tokens, inputs); too few for the rank wait for more."""
        if self.converged:
            return
        self._waiting.append(states)
        if sum(map(len, self._waiting)) < self._rank:
            return
        before = getattr(self._analysis, "components_", None)
        self._analysis.partial_fit(torch.cat(self._waiting))
        self._waiting.clear()
        if before is not None:
            cosines = torch.nn.functional.cosine_similarity(self._analysis.components_, before)
            self.converged = bool((cosines >= _CONVERGED).all())

    def components(self) -> torch.Tensor:
        found: torch.Tensor | None = getattr(self._analysis, "components_", None)
        if found is None:
            have = sum(map(len, self._waiting))
            raise DataError(
                f"EVA needs {self._rank} label tokens for adapter.r={self._rank}, and the training rows have {have}. "
                "Give more rows, a smaller adapter.r, or adapter.init_lora_weights=default."
            )
        return found.float().contiguous()
