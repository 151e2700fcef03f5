"""The parts of an export that write an adapter: for llama.cpp, for vLLM, and for whoever loads it from the hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from adapterkit.artifacts import (
    BASE_LINES,
    PEFT_IMPORTS,
    Artifact,
    canonical_config,
    fenced,
    stacking_lines,
    verified_settings,
    verified_weights,
)
from adapterkit.base.load import identify
from adapterkit.base.wheel import PREFIX
from adapterkit.config.schema import ModelConfig
from adapterkit.errors import ExportError, UsageError
from adapterkit.manifest import ADAPTER_CONFIG_FILE, WEIGHTS_FILE
from adapterkit.merging.export import gguf_lora, low_bit_file
from adapterkit.merging.export.model_files import base_config
from adapterkit.merging.export.record import Losses, base_name, is_public
from adapterkit.merging.export.vllm import rank_for, vllm_problems
from adapterkit.merging.plain import PlainLora
from adapterkit.names import peft_name
from adapterkit.serving.session import as_trained
from adapterkit.stack.blend import Blend
from adapterkit.stack.fit import require_lineage
from adapterkit.stores import make_directory, write_file
from adapterkit.texts import listed
from adapterkit.workflows.combined import DTYPES, Combined, plain_of
from adapterkit.workflows.export_request import ExportRequest, Written
from adapterkit.workflows.flatten import flattened

_BITS = {"int8": 8, "int4": 4}


def gguf(members: Sequence[Artifact], blend: Blend, request: ExportRequest, staged: Path) -> Written:
    """Write the flattened stack as one GGUF file."""
    gguf_lora.require_gguf()
    recorded = members[-1].manifest.lineage.base
    identity, folder = identify(ModelConfig(id=recorded.id, revision=recorded.revision), as_trained(recorded))
    require_lineage([each.manifest for each in members], identity)
    dtype = request.full_dtype or "float32"
    found = flattened(members, blend, request.rank, DTYPES[dtype])
    name = str(members[-1].ref)
    config = base_config(identity.id, folder)
    lost = gguf_lora.write_gguf(staged, name, found.modules, config, DTYPES[dtype])
    code = [f"llama-server -m BASE.gguf --lora {gguf_lora.FILE}"]
    return Written(
        load=["With a GGUF of the same base, of any quantization:", fenced("bash", code)],
        losses=Losses(found.errors, lost),
        options={"rank": request.rank, "dtype": dtype},
        facts={"rank": found.rank},
    )


def for_vllm(members: Sequence[Artifact], blend: Blend, request: ExportRequest, staged: Path) -> Written:
    """Write the flattened stack with one rank that vLLM can be started with."""
    dtype = request.full_dtype or "float32"
    found = flattened(members, blend, request.rank, DTYPES[dtype])
    rank = rank_for(found.rank)
    lora = _plain(members, request, found, padded=rank)
    if problems := vllm_problems(lora.config, {name: tensor.shape for name, tensor in lora.tensors.items()}):
        raise ExportError(
            f"vLLM would not take {members[-1].ref} for what it is.{listed(problems, 5)}\n"
            "Make a whole model, which it runs like any other: adapterkit export REF --to merged"
        )
    lora.write(staged)
    code = [f"vllm serve BASE --enable-lora --max-lora-rank {rank} --lora-modules NAME=FOLDER"]
    return Written(
        load=[f"vLLM has to be started for rank {rank} or more:", fenced("bash", code)],
        losses=Losses(found.errors, found.rounded),
        options={"rank": request.rank, "dtype": dtype},
        facts={"rank": rank},
    )


def for_hub(members: Sequence[Artifact], blend: Blend, request: ExportRequest, staged: Path) -> Written:
    """Write what may be uploaded: one adapter that loads alone, or all members with the lines that stack them."""
    recorded = members[-1].manifest.lineage.base
    if request.base_id is None and not is_public(recorded):
        raise UsageError(
            "The base is a folder of this machine, which nobody else has. Say under which id others find it: --base-id "
            "ORGANIZATION/NAME"
        )
    dtype = request.full_dtype
    if request.stacked:
        return _stacked(members, blend, request, staged)
    if (bits := _BITS.get(dtype or "")) is not None:
        return _low_bit(members, blend, request, staged, bits)
    if _is_copy(members, blend, request):
        _copy(members[0], staged, base_name(recorded, request.base_id))
        return Written(_alone(members, request), options={"dtype": members[0].manifest.adapter.dtype})
    dtype = dtype or "float32"
    found = flattened(members, blend, request.rank, DTYPES[dtype])
    _plain(members, request, found).write(staged)
    return Written(
        load=_alone(members, request),
        told=[_flat_told(members)],
        losses=Losses(found.errors, found.rounded),
        options={"rank": request.rank, "dtype": dtype},
        facts={"rank": found.rank},
    )


def _stacked(members: Sequence[Artifact], blend: Blend, request: ExportRequest, staged: Path) -> Written:
    """Each member as it was published, in a folder of its own."""
    if request.rank is not None or request.dtype is not None or not blend.is_plain:
        raise UsageError(
            "--stacked copies the members as they were published, and plain PEFT adds them up with weight 1: leave out "
            "--rank, --dtype, --blend and --weight, or leave out --stacked to get one flattened adapter."
        )
    names = [peft_name(position, member.ref.name) for position, member in enumerate(members)]
    base = base_name(members[-1].manifest.lineage.base, request.base_id)
    for member, name in zip(members, names, strict=True):
        make_directory(staged / name)
        _copy(member, staged / name, base)
    lines = _peft_lines(base, stacking_lines([f'f"{{FOLDER}}/{name}"' for name in names], names))
    needed = "**Every member is needed**, root first: one alone runs without an error and is silently another model."
    return Written([needed, fenced("python", lines)], options={"stacked": True})


def _low_bit(members: Sequence[Artifact], blend: Blend, request: ExportRequest, staged: Path, bits: int) -> Written:
    """The flattened stack in few bits, with the lines that make a plain LoRA of it again."""
    found = flattened(members, blend, request.rank, DTYPES["float32"])
    write_file(staged / ADAPTER_CONFIG_FILE, _plain(members, request, found).config_bytes)
    lost = low_bit_file.write_low_bit(staged, found.modules, bits)
    name = low_bit_file.low_bit_name(bits)
    code = [
        "from pathlib import Path",
        "",
        "from adapterkit.merging.export.low_bit_file import restore_low_bit",
        "",
        'restore_low_bit(Path("FOLDER"), Path("PLAIN"))  # PLAIN is an ordinary LoRA then',
    ]
    about = f"The weights are in {bits} bits (`{name}`), which PEFT does not read. With adapterkit installed:"
    return Written(
        load=[about, fenced("python", code), "Then, with `FOLDER` being `PLAIN`:", *_alone(members, request)],
        told=[_flat_told(members)] if len(members) > 1 else [],
        losses=Losses(found.errors, lost),
        options={"rank": request.rank, "dtype": f"int{bits}"},
        facts={"rank": found.rank},
    )


def _is_copy(members: Sequence[Artifact], blend: Blend, request: ExportRequest) -> bool:
    """Whether the one member may stay byte for byte what it is."""
    same = request.full_dtype in (None, members[0].manifest.adapter.dtype)
    return len(members) == 1 and blend.is_plain and request.rank is None and same


def _copy(member: Artifact, folder: Path, base: str) -> None:
    write_file(folder / ADAPTER_CONFIG_FILE, canonical_config(verified_settings(member), base))
    write_file(folder / WEIGHTS_FILE, verified_weights(member))


def _plain(
    members: Sequence[Artifact], request: ExportRequest, found: Combined, *, padded: int | None = None
) -> PlainLora:
    identity = members[-1].manifest.lineage.base
    return plain_of(found, identity, base_name(identity, request.base_id), padded=padded)


def _flat_told(members: Sequence[Artifact]) -> str:
    names = ", ".join(f"`{member.ref}`" for member in members)
    return f"One plain adapter made of {names}: it needs nothing but the base."


def _alone(members: Sequence[Artifact], request: ExportRequest) -> list[str]:
    base = base_name(members[-1].manifest.lineage.base, request.base_id)
    return [fenced("python", _peft_lines(base, ["model = PeftModel.from_pretrained(base, FOLDER)"]))]


def _where(base: str) -> str:
    """What stands in for an id that transformers cannot load: a wheel's base is converted once, into a folder."""
    if base.startswith(PREFIX):
        return "put its converted folder here: adapterkit.load(...).tokenizer.name_or_path"
    return "or the folder where it lies"


def _peft_lines(base: str, load: Sequence[str]) -> list[str]:
    return [
        *PEFT_IMPORTS,
        "",
        f"BASE = {json.dumps(base, ensure_ascii=False)}  # {_where(base)}",
        'FOLDER = "."  # where this file lies, or the id of this repository',
        "",
        *BASE_LINES,
        *load,
        "model.eval()",
    ]
