"""The operations that must survive any fault. To add one: a `prepare`, an `act`, and a line in `OPERATIONS`.

Both are given a folder of their own. `prepare` fills it once, without faults; `act` runs on a fresh copy of it for each
fault, does the one thing under test, and returns the text that names what is there when it reports success: a ref, for
an operation on the registry. The registry stands in `<folder>/adapters`; everything under the folder is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from artifacts.samples import IDENTITY, draft_of, lora_tensors, write_adapter

from adapterkit.names import AdapterRef, Version
from adapterkit.registry import Registry
from adapterkit.registry.aliases import PRODUCTION
from adapterkit.stores import staging_directory, write_file

REGISTRY, RAW, SAVED = "adapters", "raw", "adapter"
_abandoned = ExitStack()


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Attributes:
        prepare: makes what stands there before.
        act: does the thing.
        on_registry: whether the registry's rules are checked, or those of a folder that holds a saved adapter.
        alias: the alias of `child` that it moves; then no version may come or go.
        changes: whether a version that stood there before may be left as by the undisturbed act, too: gone, or signed.
        warm: what a process loads before it forks.
    """

    prepare: Callable[[Path], object]
    act: Callable[[Path], str]
    on_registry: bool = True
    alias: str | None = None
    changes: bool = False
    warm: Callable[[], object] = lambda: None


def registry_of(folder: Path) -> Registry:
    """The registry of an operation's folder."""
    return Registry(folder / REGISTRY)


def _publish(folder: Path, name: str, seed: int, *, on: str | None = None, version: Version | None = None) -> str:
    """Publish an adapter with weights drawn from a seed, whose files lie in the folder."""
    registry, raw = registry_of(folder), folder / RAW / f"{name}-{seed}"
    parents = registry.lineage(AdapterRef.parse(on)).members if on else ()
    draft = draft_of(raw, name=name, parents=parents, run_key=f"{seed:064x}")
    return str(registry.publish(draft, version).ref)


def _write(folder: Path, name: str, seed: int) -> None:
    write_adapter(folder / RAW / f"{name}-{seed}", tensors=lora_tensors(seed=seed))


def _prepare_first(folder: Path) -> None:
    _write(folder, "unified", 0)


def _prepare_child(folder: Path) -> None:
    _write(folder, "unified", 0)
    _publish(folder, "unified", 0)
    _write(folder, "child", 1)


def _prepare_next(folder: Path) -> None:
    _prepare_child(folder)
    _publish(folder, "child", 1, on="unified")
    _write(folder, "child", 2)


def _prepare_promoted(folder: Path) -> None:
    _prepare_next(folder)
    _publish(folder, "child", 2, on="unified")
    registry_of(folder).promote("child@1.0.0")


def _prepare_rollback(folder: Path) -> None:
    _prepare_promoted(folder)
    registry_of(folder).promote("child@1.1.0")


def _promote(folder: Path) -> str:
    registry_of(folder).promote("child@1.1.0")
    return "child@1.1.0"


def _roll_back(folder: Path) -> str:
    """Back to the first version by its number, so that doing it again asks for the same."""
    registry_of(folder).rollback("child", PRODUCTION, to=Version(1, 0, 0))
    return "child@1.0.0"


def _prepare_beside_a_dead_publisher(folder: Path) -> None:
    """A staging folder with two files, held until this process ends."""
    _prepare_next(folder)
    staged = _abandoned.enter_context(staging_directory(folder / REGISTRY / "child"))
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        write_file(staged / name, b"half of what was to c")


def _prepare_garbage(folder: Path) -> None:
    """A parent and its child that nothing needs any more, beside versions that stay, and a dead publisher's staging."""
    _prepare_beside_a_dead_publisher(folder)
    for name, seed in (("unified", 3), ("unified", 4), ("child", 5), ("child", 6)):
        _write(folder, name, seed)
        _publish(folder, name, seed, on="unified" if name == "child" else None)


def _collect(folder: Path) -> str:
    registry = registry_of(folder)
    registry.collect(registry.plan_collection(keep=1), keep=1)
    return "child@2.1.0"


def _prepare_removal(folder: Path) -> None:
    _prepare_promoted(folder)
    registry_of(folder).rollback("child")


def _remove(folder: Path) -> str:
    """Where it is gone already, what a killed one left behind is collected, as by whoever comes next."""
    registry = registry_of(folder)
    if Version(1, 1, 0) in registry.versions("child"):
        registry.remove("child@1.1.0")
    else:
        registry.collect(registry.plan_collection())
    return "child@1.0.0"


def _prepare_signing(folder: Path) -> None:
    from artifacts.keyring import key_pair

    _prepare_next(folder)
    key_pair(folder / RAW)


def _sign(folder: Path) -> str:
    """As `adapterkit sign` does it; an Ed25519 signature is the same each time."""
    from adapterkit.artifacts import private_key, sign_artifact

    pen = private_key(folder / RAW / "ed25519.pem")
    *_, artifact = registry_of(folder).lineage_artifacts("child@1.0.0")
    sign_artifact(artifact, pen)
    return str(artifact.ref)


def _signing_tools() -> None:
    """Loaded before the fork, since every child would have to."""
    import artifacts.keyring  # noqa: F401


def _save(folder: Path, alpha: int, fill: float) -> str:
    """Save the live trainee, its weights filled with one number, into the folder's `adapter`."""
    import torch

    stack = _live_stack()
    stack.model.peft_config[stack.trainee.peft_name].lora_alpha = alpha
    with torch.no_grad():
        for parameter in stack.trainee_parameters():
            parameter.fill_(fill)
    stack.save_trainee(folder / SAVED)
    return SAVED


@cache
def _live_stack() -> Any:
    """A stack with a trainee on a base of one layer; loaded before the fork, so that no fault waits for torch."""
    from peft import LoraConfig
    from transformers import LlamaConfig, LlamaForCausalLM

    from adapterkit.base.load import Base
    from adapterkit.stack.adapter_stack import AdapterStack

    shape = LlamaConfig(
        vocab_size=16,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    stack = AdapterStack(Base(LlamaForCausalLM(shape), None, IDENTITY, Path()))
    stack.add_trainee("child", LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"), seed=0)
    return stack


OPERATIONS = {
    "publish a first version": Operation(_prepare_first, lambda folder: _publish(folder, "unified", 0)),
    "publish a child onto a parent": Operation(
        _prepare_child, lambda folder: _publish(folder, "child", 1, on="unified")
    ),
    "publish a next version": Operation(_prepare_next, lambda folder: _publish(folder, "child", 2, on="unified")),
    "publish an exact version": Operation(
        _prepare_next, lambda folder: _publish(folder, "child", 2, on="unified", version=Version(7, 0, 0))
    ),
    "publish beside a dead publisher": Operation(
        _prepare_beside_a_dead_publisher, lambda folder: _publish(folder, "child", 2, on="unified")
    ),
    "promote a version": Operation(_prepare_promoted, _promote, alias=PRODUCTION),
    "roll back": Operation(_prepare_rollback, _roll_back, alias=PRODUCTION),
    "collect garbage": Operation(_prepare_garbage, _collect, changes=True),
    "remove a version": Operation(_prepare_removal, _remove, changes=True),
    "sign": Operation(_prepare_signing, _sign, changes=True, warm=_signing_tools),
    "save into a new folder": Operation(
        lambda folder: None, lambda folder: _save(folder, 4, 2.0), on_registry=False, warm=_live_stack
    ),
    "save over an older save": Operation(
        lambda folder: _save(folder, 4, 1.0), lambda folder: _save(folder, 4, 2.0), on_registry=False, warm=_live_stack
    ),
    "save over a save of other settings": Operation(
        lambda folder: _save(folder, 4, 1.0), lambda folder: _save(folder, 8, 2.0), on_registry=False, warm=_live_stack
    ),
}
