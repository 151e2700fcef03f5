"""What a training tells the person who started it, when it is through."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.artifacts import Artifact, load_call, peft_lines
from adapterkit.evaluation.paired import PairedChange
from adapterkit.manifest import CARD_FILE, BaseRecord, Manifest
from adapterkit.names import TENSOR_PREFIX, AdapterRef
from adapterkit.registry.publish import Published
from adapterkit.registry.registry import Registry
from adapterkit.texts import in_registry
from adapterkit.workflows.tested import Tested

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)


def already_there(artifact: Artifact, registry: Registry) -> None:
    """Say that nothing had to be trained."""
    ref = artifact.manifest.ref
    _log.info(
        "%s is up to date: trained from exactly this base, data and config, and it verifies. force=true trains anyway",
        ref,
    )
    if artifact.manifest.started_from is not None:
        _log.info(
            "It went on from an earlier version by this very run. Over the same rows once more: start_from=%s", ref
        )
    meant_otherwise(ref, registry)


def meant_otherwise(ref: AdapterRef, registry: Registry) -> None:
    """Say so where the bare name means another version than the one that was asked for."""
    if (meant := registry.exact(ref.name)) != ref:
        change = in_registry(f"adapterkit promote {ref} --to latest", registry.path)
        _log.info("A bare %s means %s. To change that: %s", ref.name, meant, change)


def published(
    artifact: Published,
    registry: Registry,
    base: BaseRecord,
    test: Tested,
    base_folder: Path,
) -> None:
    """Say where the adapter is, what it changed, and how to load it.

    Args:
        artifact: what was published, or stood there already.
        registry: where.
        base: how many tensors of the base were compared.
        test: the change of the test loss.
        base_folder: where plain PEFT loads the base from.
    """
    manifest = artifact.manifest
    verb = "Published" if artifact.new else "Trained to the same weights as before, and left published as it was:"
    lines = ["", f"{verb} {manifest.ref}: {artifact.path}", f"  lineage        {manifest.lineage}"]
    lines.append(f"  base unchanged {base.tensors} tensors compared before and after, bit for bit")
    if test.change is not None:
        lines.append(f"  test loss      {_told(test.change)}")
    if test.update is not None:
        lines.append(f"  as an update   {_told(test.update)}")
    plain = peft_lines(manifest.lineage.members, str(registry.path), str(base_folder))
    lines += loading_lines(artifact, registry)
    lines += [
        "or in plain PEFT:",
        *(f"    {line}" for line in plain if line),
    ]
    if (kind := manifest.lineage.base.quantization.get("kind")) != "none":
        lines.append(
            f"(These hold the base in float32. It was trained in {kind}, and answers differ; to hold it so: "
            f"{artifact.path / CARD_FILE})"
        )
    _log.info("\n".join(lines))


def needless_rank(tensors: Mapping[str, torch.Tensor]) -> None:
    """Warn of a rank beyond what a layer's change can have: the smaller of its two sizes.

    Args:
        tensors: the trainee's; A is `(rank, inputs)`, B `(outputs, rank)`.
    """
    most = {
        name: min(pair.shape[1], tensors[name.replace("lora_A", "lora_B")].shape[0])
        for name, pair in tensors.items()
        if "lora_A" in name
    }
    needless = {name: bound for name, bound in most.items() if tensors[name].shape[0] > bound}
    if needless:
        name, bound = min(needless.items(), key=lambda each: each[1])
        _log.warning(
            "adapter.r=%d is more than %d of the %d layers can use: a change of %s has rank %d at most, and the rest "
            "costs memory and time. adapter.r=%d is enough for it",
            tensors[name].shape[0], len(needless), len(most), name.partition(".lora_A")[0].removeprefix(TENSOR_PREFIX),
            bound, bound,
        )  # fmt: skip


def harmed(artifact: Artifact, change: PairedChange | None) -> None:
    """Warn of an adapter that surely raises the loss on rows it was not trained on."""
    if change is not None and change.ci95_low > 0:
        below = "its parent" if artifact.manifest.lineage.parents else "the base"
        _log.warning(
            "%s does harm on its test rows: %s alone has %.3f nats a token there, and %.3f with it. Train fewer steps, "
            "or lower trainer.learning_rate", artifact.ref, below, change.before, change.after,
        )  # fmt: skip


def updated(artifact: Artifact, origin: Artifact, update: PairedChange | None) -> None:
    """Warn of an update that is surely worse than what it went on from, on the rows that neither was trained on."""
    if update is not None and update.ci95_low > 0:
        back = f"adapterkit rollback {origin.ref.name} --to {origin.ref.selector}"
        _log.warning(
            "%s is worse than %s, which it went on from: the test loss rose from %.3f to %.3f nats a token. "
            "To go back: %s",
            artifact.ref, origin.ref, update.before, update.after, in_registry(back, artifact.path.parents[1]),
        )  # fmt: skip


def other_voice(artifact: Published, before: Manifest | None) -> None:
    """Warn of a name that has another persona's voice from now on.

    Args:
        artifact: what the bare name means now.
        before: what it meant; null for nothing, or nothing that can be read.
    """
    now = artifact.manifest
    if not artifact.new or before is None or before.recipe is None or now.recipe is None:
        return
    if before.recipe.persona == now.recipe.persona:
        return
    was, voice = (
        f"the voice of {each}" if (each := recipe.persona) else "everybody's voice"
        for recipe in (before.recipe, now.recipe)
    )
    back = in_registry(f"adapterkit rollback {now.ref.name}", artifact.path.parents[1])
    _log.warning("A bare %s is %s now, and was %s as %s. To go back: %s", now.ref.name, voice, was, before.ref, back)


def superseded(artifact: Published, before: Manifest | None) -> None:
    """Warn of a training that is worse than what the bare name meant until now, on the same rows.

    Args:
        artifact: what the bare name means now.
        before: what it meant; null for nothing, or nothing that can be read.
    """
    now = artifact.manifest
    if not artifact.new or before is None or not _tested_alike(before, now):
        return
    was, loss = before.metrics["test_loss"], now.metrics["test_loss"]
    if loss > was:
        back = in_registry(f"adapterkit rollback {now.ref.name}", artifact.path.parents[1])
        _log.warning(
            "A bare %s means %s now, and meant %s, which is better on the same test rows: %.3f nats a token there, and "
            "%.3f now. To go back: %s", now.ref.name, now.ref, before.ref, was, loss, back,
        )  # fmt: skip


def _tested_alike(before: Manifest, now: Manifest) -> bool:
    """Whether two versions were measured on the same test rows, over the same base.

    Manifests do not bear a digest of the test rows alone. But where the same parents, without the adapter, have the
    same loss to every digit, they were asked about the same rows.
    """
    if "test_loss" not in before.metrics or "test_loss" not in now.metrics:
        return False
    if before.base.identity.differs_from(now.base.identity):
        return False
    alone = [each.metrics.get("test_loss_before") for each in (before, now)]
    below = [[member.weights_digest for member in each.lineage.parents] for each in (before, now)]
    return before.data.digest == now.data.digest or (below[0] == below[1] and alone[0] == alone[1])


def _told(change: PairedChange) -> str:
    return (
        f"{change.before:.3f} -> {change.after:.3f} nats a token; change a row {change.change:+.3f}, "
        f"95 % interval {change.ci95_low:+.3f} .. {change.ci95_high:+.3f}, {change.rows} rows"
    )


def loading_lines(artifact: Artifact, registry: Registry) -> list[str]:
    """How to load it, as the end of a message."""
    return ["", "Load it:", *(f"    {line}" for line in adapterkit_lines(artifact, registry))]


def adapterkit_lines(artifact: Artifact, registry: Registry) -> list[str]:
    """The lines of Python that load an artifact, its parents and its base, and let it speak."""
    return [
        "import adapterkit",
        f'{load_call(artifact.manifest.ref, str(registry.path))}.generate("...")',
    ]
