"""Whether the tensors of an adapter are those its config promises, and the shape that the manifest records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from adapterkit.artifacts.adapter_config import LoraSettings, matching
from adapterkit.artifacts.header import Header, TensorEntry
from adapterkit.manifest import AdapterShape

_TENSOR = re.compile(
    r"base_model\.model\.(?P<module>.+)\.(?P<part>lora_A\.weight|lora_B\.weight|lora_magnitude_vector)"
)
# safetensors' names -> torch's.
_FLOATS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
_MAX_MATCHES = 5_000_000

Parts = Mapping[str, TensorEntry]


def adapter_shape(settings: LoraSettings, header: Header) -> AdapterShape:
    """The shape of an adapter; `targets` are the kinds of layers with weights (`q_proj`), `bytes` the tensors' own.

    The kinds come from the tensors, because a config may name the same layers in more than one way.
    """
    kinds = {module.rpartition(".")[2] for module in _modules(header)}
    dtypes = {_FLOATS.get(entry.dtype) for entry in header.tensors.values()}
    return AdapterShape(
        rank=settings.rank,
        alpha=settings.alpha,
        targets=tuple(sorted(kinds)),
        variant=settings.variant,
        parameters=sum(entry.elements for entry in header.tensors.values()),
        bytes=sum(entry.end - entry.begin for entry in header.tensors.values()),
        dtype=dtypes.pop() if len(dtypes) == 1 else None,
    )


def shape_problems(settings: LoraSettings, header: Header) -> list[str]:
    """Say, one line each, where the tensors are not what the config promises; nothing is allocated."""
    modules = _modules(header)
    if len(modules) * (len(settings.rank_pattern) + len(settings.alpha_pattern)) > _MAX_MATCHES:
        return [f"{len(modules)} layers with weights are too many for so long a rank_pattern and alpha_pattern"]
    bearing = {suffix for module in modules for suffix in _suffixes(module)}
    strays = [name for name in header.tensors if not _TENSOR.fullmatch(name)]
    return [
        *(f"{name} is not a LoRA tensor of a linear layer" for name in strays),
        *(
            f"{name} is {entry.dtype}, not a float"
            for name, entry in header.tensors.items()
            if entry.dtype not in _FLOATS
        ),
        *(what for module, parts in modules.items() for what in _module_problems(settings, module, parts)),
        *(f"no weights for the target '{name}'" for name in settings.targets if name not in bearing),
        *(f"the pattern '{key}' names no layer with weights" for key in _idle_patterns(settings, modules)),
    ]


def parts_of(settings: LoraSettings) -> tuple[str, ...]:
    """The tensors that every layer with weights has."""
    magnitude = ("lora_magnitude_vector",) if "dora" in settings.variant else ()
    return ("lora_A.weight", "lora_B.weight", *magnitude)


def targeted(settings: LoraSettings, module: str) -> bool:
    """Whether target_modules means a module, by its full name."""
    return not _suffixes(module).isdisjoint(settings.targets)


def _modules(header: Header) -> dict[str, dict[str, TensorEntry]]:
    """The LoRA tensors by module, then by part."""
    found: dict[str, dict[str, TensorEntry]] = {}
    for name, entry in header.tensors.items():
        if match := _TENSOR.fullmatch(name):
            found.setdefault(match["module"], {})[match["part"]] = entry
    return found


def _module_problems(settings: LoraSettings, module: str, parts: Parts) -> Iterator[str]:
    wanted = set(parts_of(settings))
    if set(parts) != wanted:
        missing, extra = sorted(wanted - set(parts)), sorted(set(parts) - wanted)
        yield f"{module} lacks {missing} and has unexpected {extra}"
        return
    if not targeted(settings, module):
        yield f"{module} is not among target_modules"
    for pattern in (settings.rank_pattern, settings.alpha_pattern):
        if len(keys := matching(pattern, module)) > 1:
            yield f"{module} is named by more than one pattern: {', '.join(keys)}"
    yield from _size_problems(module, parts, settings.rank_of(module))


def _size_problems(module: str, parts: Parts, rank: int) -> Iterator[str]:
    a, b = parts["lora_A.weight"].shape, parts["lora_B.weight"].shape
    if len(a) != 2 or a[0] != rank or a[1] == 0:
        yield f"{module}.lora_A.weight has shape {list(a)}, and rank {rank} asks for [{rank}, inputs]"
    if len(b) != 2 or b[1] != rank or b[0] == 0:
        yield f"{module}.lora_B.weight has shape {list(b)}, and rank {rank} asks for [outputs, {rank}]"
    magnitude = parts.get("lora_magnitude_vector")
    if magnitude is not None and magnitude.shape != b[:1]:
        yield f"{module}.lora_magnitude_vector has shape {list(magnitude.shape)}, and lora_B asks for {list(b[:1])}"


def _suffixes(module: str) -> set[str]:
    """Every name by which target_modules may mean a module: `a.b.c`, `b.c`, `c`."""
    parts = module.split(".")
    return {".".join(parts[start:]) for start in range(len(parts))}


def _idle_patterns(settings: LoraSettings, modules: Mapping[str, Parts]) -> list[str]:
    patterns = {**settings.rank_pattern, **settings.alpha_pattern}
    return sorted(set(patterns) - {key for module in modules for key in matching(patterns, module)})
