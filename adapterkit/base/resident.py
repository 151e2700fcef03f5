"""One base a process: jobs of a sweep share it, and the guard proves before each job that it may be reused."""

from __future__ import annotations

import dataclasses
import gc
import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from adapterkit.base.fingerprint import Fingerprint, fingerprint
from adapterkit.base.load import Base, load_base
from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import FrozenChangedError
from adapterkit.lineage import BaseIdentity

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Resident:
    wanted: tuple[str, ...]
    base: Base
    fingerprint: Fingerprint


_residents: list[_Resident] = []


def resident_base(
    identity: BaseIdentity,
    folder: Path,
    quantization: QuantizationConfig,
    *,
    device: torch.device,
    attn_implementation: str,
) -> tuple[Base, Fingerprint]:
    """The base for a job: the resident one when it is the same and bit for bit as it was loaded, else a fresh load.

    Args:
        identity: who the base is.
        folder: its local folder.
        quantization: how to hold it.
        device: where to put it.
        attn_implementation: as in `load_base`.

    Returns:
        The base, without adapters, and its fingerprint.
    """
    wanted = (*_named(identity), str(device), attn_implementation)
    if _residents and _residents[0].wanted == wanted and _unmoved(_residents[0]):
        _log.info("Base: the one in memory, unchanged since it was loaded")
        # The same base may have been found in another folder this time.
        return dataclasses.replace(_residents[0].base, identity=identity, folder=folder), _residents[0].fingerprint
    release_resident_base()
    base = load_base(identity, folder, quantization, device=device, attn_implementation=attn_implementation)
    _residents.append(_Resident(wanted, base, fingerprint(base.model)))
    return base, _residents[0].fingerprint


def release_resident_base() -> None:
    """Drop the base that this process holds, and its memory."""
    if not _residents:
        return
    _residents.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _named(identity: BaseIdentity) -> tuple[str, ...]:
    quantization = str(sorted(identity.quantization.items()))
    return identity.source_digest, quantization, str(identity.tokenizer_digest)


def _unmoved(resident: _Resident) -> bool:
    try:
        resident.fingerprint.require_equal(fingerprint(resident.base.model))
    except FrozenChangedError as error:
        _log.warning("The base in memory is not as it was loaded (%d tensors); loading it again", len(error.changed))
        return False
    return True
