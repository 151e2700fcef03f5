"""The story of one training, read top to bottom: from a typed config to a published, verified adapter."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from peft import LoraConfig

from adapterkit.artifacts.read import Artifact
from adapterkit.base.quantization import torch_dtype
from adapterkit.base.resident import release_resident_base, resident_base
from adapterkit.config.asked import UNASKED, Asked
from adapterkit.config.checks import check_values
from adapterkit.config.choices import GAUSSIAN
from adapterkit.config.schema import ALL_LINEAR, AdapterConfig, TrainConfig
from adapterkit.errors import AdapterKitError
from adapterkit.evaluation.paired import PairedChange
from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import BaseRecord, Manifest
from adapterkit.names import check_name
from adapterkit.ranks import here
from adapterkit.registry.publish import Published
from adapterkit.registry.registry import Registry
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.training.fit import fit
from adapterkit.training.tracking.tracking import SILENT, Tracking
from adapterkit.workflows import say
from adapterkit.workflows.drafting import Trained, draft_of
from adapterkit.workflows.parents import ComposeParent
from adapterkit.workflows.parity import proven_parity
from adapterkit.workflows.preparing import Plan, prepare
from adapterkit.workflows.reporting import write_report
from adapterkit.workflows.run_directory import RunDirectory
from adapterkit.workflows.starting import start
from adapterkit.workflows.tested import compare_on_test, losses_on_test
from adapterkit.workflows.tracked import final_metrics, publication_of, sheet_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainOutcome:
    """What a training leaves behind.

    Attributes:
        artifact: the published adapter.
        trained: False when an identical, verified one already stood in the registry.
        test: the change of the test loss against the stack without this adapter; None without test rows.
        update: the change against the version that an incremental run went on from; None for any other.
    """

    artifact: Artifact
    trained: bool
    test: PairedChange | None
    update: PairedChange | None


def train(config: TrainConfig, *, asked: Asked = UNASKED, compose_parent: ComposeParent | None = None) -> TrainOutcome:
    """Train one adapter and publish it; its parent first, when that is missing and its recipe is known.

    Args:
        config: the whole of the training.
        asked: the command that it was composed from, for the manifest; empty when no command was.
        compose_parent: from a recipe's name and the child's config to the parent's config and command, or None.

    Raises:
        AdapterKitError: anything a user can cause; nothing is published then.
    """
    name = check_name(config.full_name, said_as="name=")
    check_values(config)
    # Of several ranks the first alone tells of the training.
    with Tracking(config.tracking if here().leads else SILENT, name) as tracking:
        plan = prepare(name, config, asked, compose_parent, train)
        if not isinstance(plan, Plan):
            say.already_there(plan, Registry(Path(config.registry)))
            return TrainOutcome(plan, False, None, None)
        with RunDirectory(Path(config.output_dir), plan.key) as run:
            return _carry_out(plan, run, tracking)


def _carry_out(plan: Plan, run: RunDirectory, tracking: Tracking) -> TrainOutcome:
    name, config, identity = plan.name, plan.config, plan.identity
    resume = here().from_first("the checkpoint", partial(run.checkpoint, config.resume))
    tracking.start(sheet_of(plan, run.path), history=run.history, resumed=resume.parent if resume else None)
    attention = config.model.attn_implementation
    base, before = resident_base(
        identity, plan.folder, config.quantization, device=plan.device, attn_implementation=attention
    )
    run.write_baseline(identity, before)
    stack = AdapterStack(base)
    try:
        stack.attach(plan.parents)
        stack.add_trainee(name, lora_config(config.adapter), seed=config.seed)
        say.needless_rank(stack.trainee_state())
        if resume is None or plan.origin is not None:
            start(stack, config, plan.rows.train, plan.origin)
        earlier = losses_on_test(stack, plan.rows, config.trainer.batch_size) if plan.origin is not None else None
        guard = FreezeGuard(stack, before, on_change=partial(run.write_baseline, identity, before))
        result = fit(
            stack, config, plan.rows.train, plan.rows.validation,
            guard=guard, run=run.path, run_key=plan.key, resume=resume, watchers=[plan.remaining, tracking],
        )  # fmt: skip
        test = compare_on_test(stack, plan.rows, config.trainer.batch_size, step=result.steps, earlier=earlier)
        proves = config.test_decode_parity and plan.parents
        parity = proven_parity(stack, base.tokenizer, name) if proves else None
        tracking.log(final_metrics(result, test), step=result.steps)
        record = prove_unchanged(guard, identity, run)
        run.write_results(name, result, test)
        run.write_adapter(stack, dtype=torch_dtype(config.adapter.dtype))
        trained = Trained(plan, record, run, result, test, parity)
    finally:
        let_go(stack)
    meant = _meant(plan.registry, name)
    artifact = _publish(trained)
    run.copy_artifact(artifact)
    if here().leads:
        write_report(trained, artifact)
    tracking.publish(publication_of(artifact))
    say.published(artifact, plan.registry, record, test, plan.folder)
    say.harmed(artifact, test.change)
    say.other_voice(artifact, meant)
    if plan.origin is not None:
        say.updated(artifact, plan.origin, test.update)
    else:
        say.superseded(artifact, meant)
    return TrainOutcome(artifact, True, test.change, test.update)


def _publish(trained: Trained) -> Published:
    """Publish, the first rank for all."""
    try:
        return here().from_first("the published adapter", lambda: trained.plan.registry.publish(draft_of(trained)))
    except AdapterKitError:
        _log.error("Not published. What was trained is kept in %s", trained.run.adapter)
        raise


def _meant(registry: Registry, name: str) -> Manifest | None:
    """Of the version that a bare name means; null where there is none, or it cannot be read."""
    with suppress(AdapterKitError):
        return registry.manifest(name)
    return None


def let_go(stack: AdapterStack) -> None:
    """Take the adapters off the base; one that is cut among ranks serves no other training."""
    stack.detach()
    if here().sharded:
        release_resident_base()


def lora_config(config: AdapterConfig) -> LoraConfig:
    """PEFT's settings for ours."""
    return LoraConfig(
        r=config.r,
        # PEFT annotates an int and computes with any number.
        lora_alpha=cast(int, config.lora_alpha),
        lora_dropout=config.lora_dropout,
        target_modules=ALL_LINEAR if config.target_modules == ALL_LINEAR else config.targets,
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        # EVA's start comes afterwards: see `workflows/starting.py`.
        init_lora_weights="gaussian" if config.init_lora_weights == GAUSSIAN else True,
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
        RanksPartedError: another rank holds another base, or other weights.
    """
    before, after = guard.before, guard.before_write()
    guard.require_alike(here())
    run.write_baseline(identity, before, after)
    _log.info("Base unchanged: %d tensors compared, bit for bit", len(before.tensors))
    return BaseRecord(identity, before.digest, after.digest, len(before.tensors))
