"""What a weight is while its base is held in 4 or 8 bits: the numbers that the forward pass multiplies with."""

from __future__ import annotations

from typing import Any

import torch

from adapterkit.base.quantization import torch_dtype
from adapterkit.config.schema import QuantizationConfig


def held(tensor: torch.Tensor, config: QuantizationConfig, *, quantized: bool) -> torch.Tensor:
    """A tensor of a model folder as the loaded base has it, dequantized.

    Args:
        tensor: as it is stored; what is no float stays what it is.
        config: how the base is held.
        quantized: whether it is the weight of a linear layer that bitsandbytes quantizes, (outputs, inputs).

    Returns:
        In the base's dtype; of 8 bits float32.
    """
    if not tensor.is_floating_point():
        return tensor
    cast = tensor.to(torch_dtype(config.dtype))
    if not quantized or config.kind == "none":
        return cast
    if config.kind == "nf4":
        return dequantized(four_bit(cast, double_quant=config.double_quant))
    from bitsandbytes.functional import int8_vectorwise_dequant
    from bitsandbytes.nn import Int8Params

    eight: Any = Int8Params(cast, requires_grad=False, has_fp16_weights=False)
    eight = eight.to("cpu")  # Which quantizes it, on whatever device.
    found: torch.Tensor = int8_vectorwise_dequant(eight.CB, eight.SCB)
    return found


def four_bit(weight: torch.Tensor, *, double_quant: bool) -> Any:
    """A weight as bitsandbytes holds it in NF4, a `Params4bit` on the CPU; made as transformers makes it."""
    from bitsandbytes.nn import Params4bit

    four: Any = Params4bit(
        weight.contiguous(), requires_grad=False, compress_statistics=double_quant, quant_type="nf4"
    )  # fmt: skip
    return four.to("cpu")


def dequantized(weight: Any) -> torch.Tensor:
    """What a `Params4bit` stands for, in the dtype that it was made of."""
    from bitsandbytes.functional import dequantize_4bit

    found: torch.Tensor = dequantize_4bit(weight.data, weight.quant_state)
    return found


def as_stored(weight: Any) -> dict[str, torch.Tensor]:
    """The tensors under which transformers stores a `Params4bit`, by what follows the weight's own name."""
    state = weight.quant_state.as_dict(packed=True)
    return {"": weight.data, **{f".{part}": value for part, value in state.items()}}
