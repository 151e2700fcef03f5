"""The story of a check-up: is everything here that a training needs, and does it go together?"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from adapterkit.base.cache import cache_root
from adapterkit.config.compose import compose_command, compose_merge, composing
from adapterkit.config.locate import config_root
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.outcome import EXPECTED, message_of
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import AdapterKitError, MissingKeyError, UsageError
from adapterkit.registry import Registry, by_ref, oddities, problem_of, strays
from adapterkit.texts import counted, in_registry, one_line

FINE, NOTE, BAD = "ok", "note", "BAD"
_CORE = (
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "safetensors",
    "hydra-core",
    "omegaconf",
)
_LITTLE_SPACE = 5 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: versions, machine, combinations, configs, cache or registry.
        what: what was looked at.
        state: `ok`, `note` (works, but should be known) or `BAD`.
        told: what was found, and the fix when it is bad.
    """

    area: str
    what: str
    state: str
    told: str


def examine(registry: Registry, config_dir: Path | None = None) -> list[Finding]:
    """Look at versions, machine, known-bad combinations, configs and recipes, cache and registry.

    Args:
        registry: whose health is looked at.
        config_dir: the user's own folder of configs, whose recipes are composed too.

    Raises:
        UsageError: there is no such folder of configs.
    """
    if config_dir is not None and not os.path.isdir(config_dir):
        raise UsageError(
            f"--config-dir {config_dir} is not a folder. Give the one that holds recipe/, or leave it out."
        )
    areas: tuple[tuple[str, Callable[[], Iterator[tuple[str, str, str]]]], ...] = (
        ("versions", _versions),
        ("machine", _machine),
        ("combinations", _combinations),
        ("configs", lambda: _configs(config_dir)),
        ("cache", _cache),
        ("registry", lambda: _registry(registry)),
    )
    return [Finding(area, *found) for area, look in areas for found in look()]


def _versions() -> Iterator[tuple[str, str, str]]:
    from packaging.requirements import Requirement

    wanted = {need.name: need for need in map(Requirement, requires("adapterkit") or ()) if need.marker is None}
    yield "python", FINE, platform.python_version()
    for name in _CORE:
        need = wanted.get(name)
        try:
            found = version(name)
        except PackageNotFoundError:
            yield name, BAD, f"is not installed: pip install '{need or name}'"
            continue
        if need is None or need.specifier.contains(found.partition("+")[0], prereleases=True):
            yield name, FINE, found
        else:
            yield (
                name,
                BAD,
                f"{found} is not {need.specifier}, which adapterkit was measured with: pip install '{need}'",
            )


def _machine() -> Iterator[tuple[str, str, str]]:
    import torch

    from adapterkit.base.device import device_name

    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield "processor", FINE, f"{device_name(torch.device('cpu'))}, {counted(cores, 'core')}, {memory:.0f} GiB"
    yield "processor features", FINE, ", ".join(_features()) or "none that matter here"
    threads = torch.get_num_threads()
    if threads > cores:
        yield (
            "threads",
            BAD,
            f"{threads} threads on {counted(cores, 'core')} spin against each other: OMP_NUM_THREADS={cores}",
        )
    else:
        yield "threads", FINE, str(threads)
    if not torch.cuda.is_available():
        yield "GPU", *_no_gpu()
    for index in range(torch.cuda.device_count()):
        known = torch.cuda.get_device_properties(index)
        half = "bf16" if known.major >= 8 else "no bf16: use quantization=nf4_fp16"
        yield f"GPU {index}", FINE, f"{known.name}, {known.total_memory / 2**30:.0f} GiB, {half}"


def _features() -> list[str]:
    told = Path("/proc/cpuinfo")
    flags = told.read_text("utf-8").partition("flags")[2].partition("\n")[0].split() if told.is_file() else []
    return [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "sha_ni") if flag in flags]


def _no_gpu() -> tuple[str, str]:
    import torch

    if shutil.which("nvidia-smi") and torch.version.cuda is None:
        return (
            BAD,
            f"there is an NVIDIA driver, and torch {torch.__version__} was built without CUDA: install a CUDA build",
        )
    return NOTE, "none: training runs on the processor"


def _combinations() -> Iterator[tuple[str, str, str]]:
    """What is known to go wrong together, whether or not adapterkit works around it."""
    if "avx512_bf16" in _features():
        told = "bitsandbytes repacks 4-bit weights here at the first evaluation; adapterkit switches that off"
        yield "bitsandbytes on AVX512-BF16", NOTE, told + ", other code that loads the same base must do so itself"
    if _installed("kernels"):
        yield "bitsandbytes with kernels", NOTE, "it asks the hub for a kernel at import, which waits when offline"
    if _installed("torch") and tuple(map(int, version("torch").split(".")[:2])) >= (2, 14):
        yield "torch 2.14 or newer", NOTE, "not measured yet: pip install 'torch<2.14' for what is"
    if os.environ.get("GOMP_SPINCOUNT") is None and len(os.sched_getaffinity(0)) <= 4:
        told = "two trainings at once on few cores slow each other down many times; GOMP_SPINCOUNT=0 for both helps"
        yield "threads that wait by spinning", NOTE, told


def _configs(config_dir: Path | None) -> Iterator[tuple[str, str, str]]:
    with composing():
        yield "no recipe", *_composes(partial(_training, []))
        for name in _named("recipe", config_dir):
            yield f"recipe {name}", *_composes(partial(_training, [f"+recipe={name}"], config_dir))
        for name in _named("merge", config_dir):
            yield f"merge {name}", *_composes(partial(compose_merge, [f"+merge={name}"], config_dir))


def _named(kind: str, config_dir: Path | None) -> list[str]:
    """The recipes of a kind, the user's own among them."""
    folders = [config_root() / "recipes", *([config_dir] if config_dir else [])]
    return sorted({file.stem for folder in folders for file in (folder / kind).glob("*.yaml")})


def _training(words: Sequence[str], config_dir: Path | None = None) -> TrainConfig:
    return compose_command(words, config_dir)[0]


def _composes(compose: Callable[[], TrainConfig | MergeConfig]) -> tuple[str, str]:
    try:
        config = compose()
    except MissingKeyError as error:
        return NOTE, f"composes once {error.key} is said: {error.key}=VALUE"
    except EXPECTED as error:
        return BAD, one_line(message_of(error))
    return FINE, f"composes to {config.name}"


def _cache() -> Iterator[tuple[str, str, str]]:
    yield _place("cache", cache_root(), "set ADAPTERKIT_CACHE to another folder")


def _registry(registry: Registry) -> Iterator[tuple[str, str, str]]:
    yield _place("folder", registry.path, "choose another with --registry or $ADAPTERKIT_REGISTRY")
    if not os.path.isdir(registry.path):
        yield "contents", NOTE, f"{registry.path} is not there yet (there is no such folder): nothing was published"
        return
    try:
        family = registry.survey()
    except AdapterKitError as error:
        yield "contents", BAD, str(error)
        return
    versions = [entry for entries in family.values() for entry in entries]
    yield "contents", FINE, f"{counted(len(family), 'adapter')}, {counted(len(versions), 'version')}"
    there = by_ref(family)
    broken = [(entry.ref, problem) for entry in versions if (problem := problem_of(entry, there))]
    for ref, problem in broken[:5]:
        yield ref, BAD, f"{problem}. See: {in_registry(f'adapterkit verify {ref}', registry.path)}"
    if len(broken) > 5:
        listing = in_registry("adapterkit list", registry.path)
        yield "further versions", BAD, f"{counted(len(broken) - 5, 'more version')} broken. See: {listing}"
    for name, entries in family.items():
        for pointer in registry.pointers(name) if entries[-1].moved else ():
            if pointer.problem:
                yield f"{name}@{pointer.alias}", BAD, pointer.problem
    for stray in strays(registry.path, family):
        yield stray.name, BAD, stray.problem
    yield from _odd(registry)


def _odd(registry: Registry) -> Iterator[tuple[str, str, str]]:
    """What is no part of the registry, and harms nothing."""
    found = oddities(registry.path)
    for odd in found[:5]:
        yield odd.name, NOTE, odd.problem
    if len(found) > 5:
        yield "further oddities", NOTE, f"{len(found) - 5:,} more that are no part of the registry {registry.path}"


def _place(what: str, folder: Path, fix: str) -> tuple[str, str, str]:
    """Whether a folder, or the nearest one above it that exists, can be written and has room."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.exists(path))
    free = shutil.disk_usage(there).free
    if not os.path.isdir(there) or not os.access(there, os.W_OK):
        return what, BAD, f"{there} cannot be written: {fix}"
    told = f"{folder}, {free / 2**30:,.0f} GiB free"
    return (what, NOTE, f"{told}: little for models and runs") if free < _LITTLE_SPACE else (what, FINE, told)


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
