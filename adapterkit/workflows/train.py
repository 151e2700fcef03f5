"""The story of one training, read top to bottom: from a typed config to a published, verified adapter."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig

from adapterkit.artifacts.read import Artifact
from adapterkit.base.device import resolve_device
from adapterkit.base.load import Base, identify, load_tokenizer
from adapterkit.base.quantization import torch_dtype
from adapterkit.base.resident import resident_base
from adapterkit.config.asked import UNASKED, Asked
from adapterkit.config.checks import check_values
from adapterkit.config.schema import AdapterConfig, TrainConfig
from adapterkit.data.collate import PadCollator
from adapterkit.data.encode import as_dataset
from adapterkit.errors import AdapterKitError
from adapterkit.evaluation.loss import row_losses
from adapterkit.evaluation.paired import PairedChange, paired_change
from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import BaseRecord
from adapterkit.names import check_name
from adapterkit.registry.publish import Published
from adapterkit.registry.registry import Registry
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.fit import require_dora_trains
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.training.fit import fit
from adapterkit.training.run_key import run_key
from adapterkit.workflows import say
from adapterkit.workflows.drafting import Trained, draft_of
from adapterkit.workflows.estimating import foretell, ground_within_budget
from adapterkit.workflows.parents import ComposeParent, require_base, require_room, resolve_parents
from adapterkit.workflows.rows import TokenRows, read_rows
from adapterkit.workflows.run_directory import RunDirectory, config_yaml

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainOutcome:
    """What a training leaves behind.

    Attributes:
        artifact: the published adapter.
        trained: False when an identical, verified one already stood in the registry.
        test: the change of the test loss against the stack without this adapter; None without test rows.
    """

    artifact: Artifact
    trained: bool
    test: PairedChange | None


def train(config: TrainConfig, *, asked: Asked = UNASKED, compose_parent: ComposeParent | None = None) -> TrainOutcome:
    """Train one adapter and publish it; its parent first, when that is missing and its recipe is known.

    Args:
        config: the whole of the training.
        asked: the command that it was composed from, for the manifest; empty when no command was.
        compose_parent: from a recipe's name and the child's config to the parent's config and command, or None.

    Raises:
        AdapterKitError: anything a user can cause; nothing is published then.
    """
    name = check_name(config.name + config.suffix, said_as="name=")
    check_values(config)
    # What cannot be published must be said before hours are spent on it.
    config_yaml(config)
    registry = Registry(Path(config.registry))
    device = resolve_device(config.device)
    identity, folder = identify(config.model, config.quantization)
    ground = ground_within_budget(config, folder, device)
    registry.require_writable(name)
    require_dora_trains(config.adapter.use_dora, identity.quantization, device)
    # Data before parents: a misspelt persona must not cost the training of its parent.
    rows = read_rows(config.data, config.persona, load_tokenizer(identity.id, folder))
    parents = resolve_parents(config, asked, registry, compose_parent, train)
    _require_parents_fit(parents, identity, device, name)
    key = run_key(config, identity, [parent.manifest.weights_digest for parent in parents], rows.digest)
    if not config.force and (existing := registry.find_run_key(name, key)) is not None:
        say.already_there(existing, registry)
        return TrainOutcome(existing, False, None)

    _log.info("Training %s on %s", name, " <- ".join([identity.id, *(str(parent.manifest.ref) for parent in parents)]))
    remaining = foretell(config, ground, rows, [parent.manifest.adapter.parameters for parent in parents])
    run = RunDirectory(Path(config.output_dir), key)
    resume = run.checkpoint(config.resume)
    base, before = resident_base(
        identity, folder, config.quantization, device=device, attn_implementation=config.model.attn_implementation
    )
    run.write_baseline(identity, before)
    stack = AdapterStack(base)
    try:
        stack.attach(parents)
        stack.add_trainee(name, lora_config(config.adapter), seed=config.seed)
        guard = FreezeGuard(stack, before, on_change=partial(run.write_baseline, identity, before))
        result = fit(
            stack, config, rows.train, rows.validation,
            guard=guard, run=run.path, run_key=key, resume=resume, watching=[remaining],
        )  # fmt: skip
        test = compare_on_test(stack, rows, base, config.trainer.batch_size)
        record = prove_unchanged(guard, identity, run)
        run.write_results(name, result, test)
        stack.save_trainee(run.adapter, dtype=torch_dtype(config.adapter.dtype))
        trained = Trained(name, config, asked, parents, record, base.folder, rows, key, run, result, test)
    finally:
        stack.detach()
    artifact = _publish(registry, trained)
    run.copy_artifact(artifact)
    say.published(artifact, registry, record, test, base.folder)
    return TrainOutcome(artifact, True, test)


def _require_parents_fit(parents: Sequence[Artifact], identity: BaseIdentity, device: torch.device, name: str) -> None:
    require_base(parents, identity)
    on_dora = any("dora" in parent.manifest.adapter.variant for parent in parents)
    require_dora_trains(on_dora, identity.quantization, device)
    require_room(parents, name)


def _publish(registry: Registry, trained: Trained) -> Published:
    try:
        return registry.publish(draft_of(trained))
    except AdapterKitError:
        _log.error("Not published. What was trained is kept in %s", trained.run.adapter)
        raise


def lora_config(config: AdapterConfig) -> LoraConfig:
    """PEFT's settings for ours."""
    targets = config.target_modules
    return LoraConfig(
        r=config.r,
        # PEFT annotates an int and computes with any number.
        lora_alpha=cast(int, config.lora_alpha),
        lora_dropout=config.lora_dropout,
        target_modules=targets if targets == "all-linear" else [targets] if isinstance(targets, str) else list(targets),
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        task_type="CAUSAL_LM",
    )


def prove_unchanged(guard: FreezeGuard, identity: BaseIdentity, run: RunDirectory) -> BaseRecord:
    """Hash the base and every frozen member once more, after the last forward pass and before the artifact is written.

    Args:
        guard: holds the fingerprint from before training, and the frozen members.
        identity: the base.
        run: where both fingerprints are recorded.

    Raises:
        FrozenChangedError: anything frozen moved; nothing may be published.
    """
    before, after = guard.before, guard.before_write()
    run.write_baseline(identity, before, after)
    _log.info("Base unchanged: %d tensors compared, bit for bit", len(before.tensors))
    return BaseRecord(identity, before.digest, after.digest, len(before.tensors))


def compare_on_test(stack: AdapterStack, rows: TokenRows, base: Base, batch_size: int) -> PairedChange | None:
    """The test split, once: the stack without its new member, then with it, row by row.

    Args:
        stack: with its trainee on top.
        rows: whose test split is measured.
        base: brings the tokenizer that pads.
        batch_size: rows at once.

    Returns:
        Losses in nats a token with a paired interval; None with fewer than two test rows.
    """
    if len(rows.test) < 2:
        return None
    collate = PadCollator(base.tokenizer.pad_token_id)
    test = list(as_dataset(rows.test))
    with stack.without_trainee() as model:
        before = row_losses(model, test, collate, batch_size=batch_size)
    after = row_losses(stack.model, test, collate, batch_size=batch_size)
    return paired_change(before, after)
