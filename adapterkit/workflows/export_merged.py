"""The part of an export that makes a whole model of a base and its stack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from adapterkit.artifacts import Artifact, fenced
from adapterkit.base.load import identify, load_base
from adapterkit.base.quantization import keep_bytes_in_place, torch_dtype
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.errors import LossError
from adapterkit.evaluation.distance import Distance, Said, distance, said_by
from adapterkit.evaluation.parity import PROMPTS
from adapterkit.lineage import BaseIdentity
from adapterkit.merging.export.merged import MergedModel, MergeInto, write_merged
from adapterkit.merging.export.record import Losses
from adapterkit.serving.session import as_trained, session_of
from adapterkit.stack.blend import Blend
from adapterkit.stack.fit import require_lineage
from adapterkit.workflows.combined import factors_of
from adapterkit.workflows.export_request import ORIGINAL, ExportRequest, Written

_NEW_TOKENS = 16
_UNTIED = (
    "An adapter changes the output layer, which shares the embedding's weights in the base. Here it has weights of its "
    "own (`tie_word_embeddings` is false), since the embedding does not change."
)
_FOUR_BIT = (
    "The weights are NF4 of bitsandbytes. On a CPU with AVX512-BF16 set `support_avx512bf16_for_cpu = False` on every "
    "`Linear4bit` before the first forward: otherwise bitsandbytes packs the weights anew, and rounds their scales."
)


def merged(members: Sequence[Artifact], blend: Blend, request: ExportRequest, staged: Path) -> Written:
    """Write the model folder; a 4-bit one only if what it loses was accepted."""
    recorded = members[-1].manifest.lineage.base
    trained = as_trained(recorded)
    identity, folder = identify(ModelConfig(id=recorded.id, revision=recorded.revision), trained)
    require_lineage([each.manifest for each in members], identity)
    four_bit = request.quantize is not None
    dtype = torch_dtype(request.full_dtype or ("bfloat16" if four_bit else "float32"))
    into = MergeInto(
        base_id=identity.id,
        folder=folder,
        held_as=None if request.base_weights == ORIGINAL else trained,
        dtype=dtype,
        four_bit=four_bit,
        double_quant=trained.double_quant,
    )
    result = write_merged(
        into, [factors_of(each, "merged", magnitudes=True) for each in members], blend.coefficients, staged
    )
    found = None
    if four_bit or request.measure:
        # One of the two models at a time.
        said, tokenizer = _said(identity, folder, trained, members, blend)
        found = _measured(said, tokenizer, staged)
    if four_bit:
        _require_accepted(result, found, request.accept_loss)
    return _written(request, into, result, found)


def _said(
    identity: BaseIdentity, folder: Path, trained: QuantizationConfig, members: Sequence[Artifact], blend: Blend
) -> tuple[Said, Any]:
    """What the stack answers, on its base as it was trained, and the tokenizer."""
    base = load_base(identity, folder, trained, device=torch.device("cpu"))
    session = session_of(base, members)
    session.blend(blend.kind, blend.weights)
    return said_by(session.model, base.tokenizer, PROMPTS, new_tokens=_NEW_TOKENS), base.tokenizer


def _measured(said: Said, tokenizer: Any, folder: Path) -> Distance:
    """How far the new model is from that."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, trust_remote_code=False).eval()
    keep_bytes_in_place(model)
    return distance(said, model, tokenizer)


def _require_accepted(result: MergedModel, found: Distance | None, accepted: float | None) -> None:
    """Refuse a loss that nobody accepted.

    Raises:
        LossError: it is above what is accepted.
    """
    layer, worst = max(result.losses.items(), key=lambda item: item[1])
    if accepted is not None and worst <= accepted:
        return
    assert found is not None
    limit = "no loss was accepted" if accepted is None else f"--accept-loss {accepted:g} is less"
    raise LossError(
        worst,
        f"Quantizing the merged weights to NF4 loses {worst:.1%} of the change in the worst layer ({layer}) and "
        f"{result.total_loss:.1%} of all of it, and {limit}. Beside the stack, logits differ by {found.mean:.3g} on "
        f"average, the divergence is {found.divergence:.3g} nats, and a token of the stack's own answers costs "
        f"{found.nats_after:.3f} nats instead of {found.nats_before:.3f}. Nothing was written. Leave the weights whole "
        f"(--dtype bfloat16), use the adapter on its 4-bit base, or accept it: --accept-loss {_up(worst):g}",
    )


def _up(share: float) -> float:
    """The next whole percent."""
    return math.ceil(share * 100) / 100


def _written(request: ExportRequest, into: MergeInto, result: MergedModel, found: Distance | None) -> Written:
    options: dict[str, Any] = {
        "weights": request.base_weights,
        "dtype": str(into.dtype).removeprefix("torch."),
        "quantize": request.quantize,
        "accept_loss": request.accept_loss,
    }
    notes = [_UNTIED] if result.untied else []
    code = [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        "FOLDER = ...  # this one",
        "model = AutoModelForCausalLM.from_pretrained(FOLDER)",
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER)",
    ]
    return Written(
        load=["A whole model, which needs neither adapter nor base:", fenced("python", code)],
        told=[_about_weights(into.held_as), *notes, *([_FOUR_BIT] if into.four_bit else [])],
        losses=Losses(in_storage=result.losses),
        options=options,
        facts={"bytes": result.bytes, "untied": result.untied, "lost_in_all": result.total_loss},
        distance=found,
    )


def _about_weights(held: QuantizationConfig | None) -> str:
    if held is None:
        return (
            "The changes stand in the base's original weights. Where the adapters were trained on quantized ones, the "
            "model answers otherwise than the stack does."
        )
    if held.kind == "none":
        return f"The changes stand in the base's weights as they were in training, in {held.dtype}."
    return (
        f"The changes stand in the base's dequantized {held.kind} weights: those that the adapters were trained on, "
        "and not those of the original model."
    )
