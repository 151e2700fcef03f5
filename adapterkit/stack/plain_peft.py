"""A lineage on a live base as plain PEFT loads it, by the very lines that an artifact's README gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from peft import LoraModel, PeftModel

from adapterkit.base.load import Base
from adapterkit.names import peft_name


@contextmanager
def in_plain_peft(base: Base, folders: Sequence[Path]) -> Iterator[PeftModel]:
    """Load adapters without anything of ours but the base, which stands as before afterwards.

    Args:
        base: in memory, without adapters.
        folders: each with the two files that PEFT reads, root-first.
    """
    names = [peft_name(place, f"plain{place}") for place in range(len(folders))]
    model = PeftModel.from_pretrained(base.model, folders[0], adapter_name=names[0])
    tuner = cast(LoraModel, model.base_model)
    try:
        for folder, name in zip(folders[1:], names[1:], strict=True):
            model.load_adapter(folder, adapter_name=name)
        if len(folders) > 1:
            tuner.set_adapter(names, inference_mode=True)
        yield model.eval()
    finally:
        tuner.unload()
        base.model.requires_grad_(False)
        base.model.eval()
