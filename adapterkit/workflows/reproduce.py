"""The story of a reproduction: train a published adapter again from what it records, and compare bit by bit."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.artifacts import Artifact, read_header, verified_weights
from adapterkit.base.device import resolve_device
from adapterkit.config.schema import TrackingConfig, TrainConfig
from adapterkit.errors import TrainingError, UsageError
from adapterkit.manifest import WEIGHTS_FILE, Manifest
from adapterkit.registry import Registry, version_with
from adapterkit.stores import explained, make_directory, scratch_directory, write_file
from adapterkit.workflows.recorded import recorded_config, require_whole
from adapterkit.workflows.shown import run_shown

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reproduction:
    """What training again came to.

    Attributes:
        ref: the adapter that was trained again.
        identical: whether every weight has the same bits.
        largest_difference: the largest absolute difference of a weight; 0.0 when identical.
        tensor: where that is; null when identical.
        differing: how many of the tensors differ.
        tensors: how many there are.
        circumstances: what is recorded of both runs and not equal: name -> (then, now).
    """

    ref: str
    identical: bool
    largest_difference: float
    tensor: str | None
    differing: int
    tensors: int
    circumstances: Mapping[str, tuple[Any, Any]]


def reproduce(registry: Registry, ref: str, *, device: str | None = None, keep: Path | None = None) -> Reproduction:
    """Train an adapter again, in a fresh process and a registry of its own, on the very parents it was built on.

    An incremental run starts from the very version that it started from.

    Args:
        registry: where it is published; nothing in it is changed.
        ref: the adapter.
        device: where to train; null: as recorded.
        keep: a new or empty folder for the run and its registry; null: a temporary one.

    Raises:
        UsageError: `keep` holds something already, there is no such device, or the training took a secret, which is
            not recorded.
        RefNotFoundError: the registry does not hold it, or the version that its run started from.
        ArtifactError: it, or an ancestor, is not intact, or it records no training.
        TrainingError: the training failed; the message is that of the training.
    """
    if keep is not None:
        _require_empty(keep)
    if device is not None:
        resolve_device(device)
    members = registry.lineage_artifacts(ref)
    original = members[-1]
    config = recorded_config(original.path)
    require_whole(config, ref)
    needed = members[:-1]
    if (digest := original.manifest.started_from) is not None:
        needed.append(version_with(registry, original.manifest.name, digest))
        config.incremental, config.start_from = True, str(needed[-1].ref)
    with scratch_directory() as scratch:
        where = keep or scratch
        with explained(f"Preparing {where}"):
            make_directory(where)
            for each in needed:
                shutil.copytree(each.path, where / "adapters" / each.manifest.name / str(each.manifest.version))
        config.parent = str(members[-2].ref) if len(members) > 1 else None
        config.registry, config.output_dir = str(where / "adapters"), str(where / "run")
        config.device, config.resume, config.force = device or config.device, "never", True
        # A copy that is compared and thrown away is no run, and no model version, of anybody's tracker.
        config.tracking = TrackingConfig(tensorboard=False)
        _log.info("Training %s again in a process of its own", original.ref)
        _train_in_a_process(config, where, original.manifest)
        again = Registry(where / "adapters").artifact(original.manifest.name)
        return compare(original, again)


def _require_empty(folder: Path) -> None:
    try:
        taken = any(folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            f"--keep {folder} cannot be used: {error.strerror}. Name a folder that is not there yet."
        ) from error
    if taken:
        raise UsageError(f"--keep {folder} is not empty, and nothing in it may be mixed up. Name a new folder.")


def _train_in_a_process(config: TrainConfig, where: Path, manifest: Manifest) -> None:
    request = where / "request.json"
    write_file(request, json.dumps(asdict(config)).encode("utf-8"))
    # Sums of floats depend on how many threads share them.
    threads = {"OMP_NUM_THREADS": str(manifest.environment["threads"])} if "threads" in manifest.environment else {}
    command = [sys.executable, "-m", "adapterkit.workflows.rerun", str(request)]
    code, errors = run_shown(command, env={**os.environ, **threads})
    if code != 0:
        raise TrainingError(f"Training {manifest.ref} again failed: {_reason(errors)}")


def _reason(output: str) -> str:
    told = [line for line in output.splitlines() if line.startswith("error: ")]
    return told[-1].removeprefix("error: ") if told else "\n".join(output.splitlines()[-15:])


def compare(original: Artifact, again: Artifact) -> Reproduction:
    """What two trainings of one adapter came to, tensor by tensor."""
    differences = dict(_differences(original, again))
    worst = max(differences, key=lambda name: differences[name], default=None)
    tensors = len(read_header(original.path / WEIGHTS_FILE).tensors)
    return Reproduction(
        ref=str(original.ref),
        identical=original.manifest.weights_digest == again.manifest.weights_digest,
        largest_difference=differences[worst] if worst is not None else 0.0,
        tensor=worst,
        differing=len(differences),
        tensors=tensors,
        circumstances=dict(_circumstances(original.manifest, again.manifest)),
    )


def _differences(original: Artifact, again: Artifact) -> Iterator[tuple[str, float]]:
    """The largest absolute difference in each tensor whose bytes differ; infinite where one has no counterpart."""
    from safetensors.torch import load

    mine, theirs = load(verified_weights(original)), load(verified_weights(again))
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in mine or name not in theirs or mine[name].shape != theirs[name].shape:
            yield name, math.inf
        elif not _same_bits(mine[name], theirs[name]):
            yield name, (mine[name].double() - theirs[name].double()).abs().max().item()


def _same_bits(mine: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Zero and minus zero have the same value, and not the same bits."""
    import torch

    one, other = (tensor.flatten().view(torch.uint8) for tensor in (mine, theirs))
    return mine.dtype == theirs.dtype and torch.equal(one, other)


def _circumstances(then: Manifest, now: Manifest) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """What both manifests record of how they came about, wherever it differs; results and times left out."""
    pairs = {
        "data digest": (then.data.digest, now.data.digest),
        "data tokens": (then.data.tokens, now.data.tokens),
        "base fingerprint": (then.base.fingerprint_before, now.base.fingerprint_before),
        "tokenizer digest": (then.lineage.base.tokenizer_digest, now.lineage.base.tokenizer_digest),
        "training schema": tuple(m.recipe.schema if m.recipe else None for m in (then, now)),
        "settings": tuple(m.recipe.settings if m.recipe else None for m in (then, now)),
        **{key: (then.environment.get(key), now.environment.get(key)) for key in _plain_keys(then, now)},
        **_versions(then, now),
    }
    yield from ((name, (was, is_now)) for name, (was, is_now) in pairs.items() if was != is_now)


def _plain_keys(then: Manifest, now: Manifest) -> list[str]:
    return sorted({*then.environment, *now.environment} - {"versions"})


def _versions(then: Manifest, now: Manifest) -> dict[str, tuple[Any, Any]]:
    was, is_now = then.environment.get("versions") or {}, now.environment.get("versions") or {}
    return {f"version of {name}": (was.get(name), is_now.get(name)) for name in sorted({*was, *is_now})}
