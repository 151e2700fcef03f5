"""Whether a LoRA folder holds exactly the tensors that its config claims of a base; no weight of the base is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from adapterkit.artifacts import LoraSettings, read_header
from adapterkit.artifacts.shape import parts_of, targeted
from adapterkit.artifacts.weights import Measured, measure
from adapterkit.base.outline import Outline, outline_of
from adapterkit.errors import ArtifactError
from adapterkit.manifest import WEIGHTS_FILE
from adapterkit.names import TENSOR_PREFIX
from adapterkit.problem import Problem
from adapterkit.texts import counted, listed

_SAVED_AGAIN = "save it again from the model that was trained, in plain PEFT: model.save_pretrained(new_folder)"


def require_sound(copy: Path, folder: Path) -> Measured:
    """Demand a plain LoRA whose tensors agree with its config, as far as that can be known without the base.

    Args:
        copy: what is read.
        folder: what the messages name.

    Raises:
        ArtifactError: a key of the config is not plain LoRA's, a pair is incomplete, or a number is not finite.
    """
    try:
        measured = measure(copy)
    except ArtifactError as error:
        told = str(error).replace(str(copy), str(folder))
        raise ArtifactError(
            f"{folder} cannot be imported. {told}\nOnly plain LoRA, rsLoRA and DoRA on linear layers are taken. Where "
            f"it is one and a file is damaged, {_SAVED_AGAIN}; else train it again without that setting.",
            error.problems,
        ) from error
    if measured.problems:
        raise ArtifactError(
            f"{folder} is no whole LoRA:{listed(measured.problems, 10)}\n{_way_out(measured.problems)}",
            measured.problems,
        )
    return measured


def _way_out(problems: Sequence[Problem]) -> str:
    if any("lora_embedding_" in problem.what for problem in problems):
        return (
            "LoRA on an embedding is not taken, on linear layers alone: train it again without the embedding in "
            "target_modules."
        )
    if any(".base_layer.weight " in problem.what for problem in problems):
        # What `save_pretrained` does by itself where a target is the embedding or the output layer.
        return (
            "PEFT saved the base's own layer with it, because it is among target_modules. Save it again "
            "without, in plain PEFT: PeftModel.from_pretrained(base, folder)"
            ".save_pretrained(new_folder, save_embedding_layers=False)"
        )
    return (
        f"If weights are missing, {_SAVED_AGAIN}. If they are not finite, the training diverged: train it again with a "
        "lower learning rate."
    )


def require_fit(copy: Path, folder: Path, settings: LoraSettings, base_id: str, base_folder: Path) -> None:
    """Demand weights for every layer of the base that the config targets, of that layer's size, and no others.

    Args:
        copy: what is read.
        folder: what the messages name.
        settings: what its config says.
        base_id: the base, for the messages.
        base_folder: where its config.json lies.

    Raises:
        ArtifactError: tensors are missing, unexpected or of another size; all are listed.
        BaseLoadError: transformers does not know the base's kind of model.
    """
    outline = outline_of(base_id, base_folder)
    held = read_header(copy / WEIGHTS_FILE).tensors
    claimed = set(_claimed(settings, outline))
    found = {
        "missing": sorted(claimed - held.keys()),
        "unexpected": [f"{name}: {_why_unexpected(name, outline)}" for name in sorted(held.keys() - claimed)],
        "another size": list(_sizes({name: held[name].shape for name in claimed & held.keys()}, outline)),
    }
    problems = [Problem(WEIGHTS_FILE, f"{kind}: {what}") for kind, lines in found.items() for what in lines]
    if problems:
        counts = f"{counted(len(found['missing']), 'tensor')} missing, {len(found['unexpected'])} unexpected, "
        raise ArtifactError(
            f"{folder} does not fit {base_id} as its adapter_config.json says: {counts}{len(found['another size'])} of "
            f"another size.{listed(problems, 10)}\nWhere it was trained on another base, name that with --base. Where "
            f"weights were lost, {_SAVED_AGAIN}. Where target_modules names too much, let it name the layers with "
            "weights alone.",
            problems,
        )


def _claimed(settings: LoraSettings, outline: Outline) -> Iterator[str]:
    for module in outline.modules:
        if targeted(settings, module):
            yield from (f"{TENSOR_PREFIX}{module}.{part}" for part in parts_of(settings))


def _why_unexpected(name: str, outline: Outline) -> str:
    module = name.removeprefix(TENSOR_PREFIX).partition(".lora_")[0]
    return "not among target_modules" if module in outline.sizes else f"{module} is no linear layer of the base"


def _sizes(shapes: Mapping[str, tuple[int, ...]], outline: Outline) -> Iterator[str]:
    for name, shape in sorted(shapes.items()):
        module, _, part = name.removeprefix(TENSOR_PREFIX).partition(".lora_")
        if module not in outline.sizes:
            yield f"{module} is no linear layer of the base"
        elif part == "A.weight" and shape[1] != outline.sizes[module][0]:
            yield f"{module} takes {outline.sizes[module][0]} inputs in the base, and {shape[1]} here"
        elif part == "B.weight" and shape[0] != outline.sizes[module][1]:
            yield f"{module} gives {outline.sizes[module][1]} outputs in the base, and {shape[0]} here"
