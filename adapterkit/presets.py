"""Presets in Python: what stands in `conf/adapter/` and `conf/trainer/`, as frozen nouns, and trainings made of them.

Example:
    coder = dataclasses.replace(adapterkit.presets.adapter("coder"), r=32)
    adapterkit.train_recipe("unified", adapter=coder, trainer="thorough", overrides=["name=coder_r32"])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.config.asked import Asked, quoted
from adapterkit.config.groups import names_in, plain_file, preset_file, purpose_of, typed_file
from adapterkit.config.run_folder import run_folder
from adapterkit.config.schema import ALL_LINEAR, AdapterConfig, TrainerConfig
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest
from adapterkit.texts import excerpt

if TYPE_CHECKING:
    from adapterkit.config.compose import Composition


@dataclass(frozen=True)
class AdapterPreset:
    """The shape of an adapter, and the training that is proposed for it; vary it with `dataclasses.replace`.

    Attributes:
        name: of the file in `conf/adapter/` that it is, or was varied from.
        r: the rank.
        lora_alpha: the update is scaled by `lora_alpha / r`.
        target_modules: `all-linear`, or roles and names of layers.
        init_lora_weights: how the weights start: default, gaussian or eva.
        dtype: what the adapter is stored in: float32 or bfloat16.
        epochs: proposed passes over the data.
        learning_rate: proposed peak.
        max_steps: optimizer steps at most; null: no limit.
        max_artifact_mb: how large the artifact is meant to be at most, in millions of bytes; null: any size.
    """

    name: str
    r: int
    lora_alpha: float
    lora_dropout: float = 0.0
    target_modules: str | tuple[str, ...] = ALL_LINEAR
    use_rslora: bool = False
    use_dora: bool = False
    init_lora_weights: str = "default"
    dtype: str = "float32"
    epochs: float = 1.0
    learning_rate: float = 3e-4
    max_steps: int | None = None
    max_artifact_mb: float | None = None
    intended_use: str = ""
    tags: tuple[str, ...] = ()

    def overrides(self) -> list[str]:
        """What a command says for it: its file, and what it differs in.

        Raises:
            UnknownNameError: it bears the name of no file.
        """
        return [f"adapter={self.name}", *_differences("adapter", self, adapter(self.name))]


@dataclass(frozen=True)
class TrainerPreset:
    """How to train; vary it with `dataclasses.replace`.

    Attributes:
        name: of the file in `conf/trainer/` that it is, or was varied from; what that says besides stays.
        purpose: what the file says it is for.
        epochs: passes over the data; null: what the adapter preset proposes.
        learning_rate: the peak; null: what the adapter preset proposes.
        batch_size: rows a batch.
        lr_scheduler: how the rate goes on from the peak.
    """

    name: str
    purpose: str
    epochs: float | None
    learning_rate: float | None
    batch_size: int
    lr_scheduler: str = TrainerConfig.lr_scheduler

    def overrides(self) -> list[str]:
        """What a command says for it: its file, and what it differs in.

        Raises:
            UnknownNameError: it bears the name of no file.
        """
        return [f"trainer={self.name}", *_differences("trainer", self, trainer(self.name))]


def adapter(name: str) -> AdapterPreset:
    """The adapter preset of that name.

    Raises:
        UnknownNameError: there is none.
    """
    plain = dataclasses.asdict(typed_file(preset_file("adapter", name, kind="adapter preset"), AdapterConfig))
    known = {field.name for field in dataclasses.fields(AdapterPreset)}
    settings: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items() if key in known
    }
    return AdapterPreset(name=name, **settings)


def trainer(name: str) -> TrainerPreset:
    """The trainer preset of that name.

    Raises:
        UnknownNameError: there is none.
    """
    file = preset_file("trainer", name, kind="trainer preset")
    said = plain_file(file)
    # One that sets more than the group has the group's settings below its name.
    standard = {key: getattr(TrainerConfig, key) for key in ("batch_size", "lr_scheduler")}
    plain = {"epochs": None, "learning_rate": None, **standard, **said.get("trainer", said)}
    # What is a text is an interpolation: the proposal of the adapter.
    epochs, rate = (None if isinstance(plain[key], str) else plain[key] for key in ("epochs", "learning_rate"))
    return TrainerPreset(name, purpose_of(file), epochs, rate, plain["batch_size"], plain["lr_scheduler"])


def further(preset: TrainerPreset) -> dict[str, Any]:
    """What the file of a trainer preset sets besides its keys; what the adapter preset proposes is null."""
    said = plain_file(preset_file("trainer", preset.name, kind="trainer preset"))
    # One that sets more than the group has the group's settings below its name.
    group = said.pop("trainer", {})
    own = {field.name for field in dataclasses.fields(preset)}
    return {key: None if isinstance(value, str) else value for key, value in (said | group).items() if key not in own}


def adapters() -> list[AdapterPreset]:
    """Every adapter preset, in the order of the alphabet."""
    return [adapter(name) for name in names_in("adapter")]


def trainers() -> list[TrainerPreset]:
    """Every trainer preset, in the order of the alphabet."""
    return [trainer(name) for name in names_in("trainer")]


def named(name: str) -> tuple[list[AdapterPreset], list[TrainerPreset]]:
    """The presets of that name: an adapter's, a trainer's, or one of each.

    Raises:
        UnknownNameError: there is none; all names are told.
    """
    groups = {group: names_in(group) for group in ("adapter", "trainer")}
    every = sorted({each for names in groups.values() for each in names})
    if name not in every:
        known = "; ".join(f"{group}= takes {', '.join(names)}" for group, names in groups.items())
        raise UnknownNameError("preset", name, nearest(name, every), hint=f"{known}.")
    in_adapters, in_trainers = (name in names for names in groups.values())
    return [adapter(name)] if in_adapters else [], [trainer(name)] if in_trainers else []


def compose(
    recipe: str | None = None,
    *,
    adapter: AdapterPreset | str | None = None,
    trainer: TrainerPreset | str | None = None,
    overrides: Sequence[str] = (),
    config_dir: str | None = None,
    outputs: str | Path = "outputs",
) -> Composition:
    """The config of a training, as the command of the same words comes to it; call it inside `composing`, or alone.

    Args:
        recipe: a file in `recipes/recipe/`, or in your own `config_dir`; null: a plain training.
        adapter: a preset, or the name of one; null: the recipe's.
        trainer: a preset, or the name of one; null: the recipe's.
        overrides: whatever else a command may say, such as `data=chat` or `trainer.max_steps=50`; goes last.
        config_dir: a folder of your own configs.
        outputs: where the run directory goes, `<outputs>/<name>/<time>`.

    Returns:
        `config`, which `adapterkit.workflows.train.train` takes, and `asked`, the command it is equal to.

    Raises:
        UsageError: a preset, a recipe, a folder or a key is unknown, or a value is missing or of the wrong kind.
    """
    # Hydra takes a tenth of a second to come, and looking at presets does not need it.
    from hydra.core.global_hydra import GlobalHydra

    from adapterkit.config.compose import compose_asked, composing
    from adapterkit.config.outcome import as_usage_error

    words = [*_words("adapter", AdapterPreset, adapter), *_words("trainer", TrainerPreset, trainer)]
    words += _overrides(overrides)
    asked = Asked(recipe, tuple(words), config_dir)
    with as_usage_error():
        if GlobalHydra.instance().is_initialized():
            found = compose_asked(asked)
        else:
            with composing():
                found = compose_asked(asked)
    found.config.output_dir = str(run_folder(outputs, found.config.full_name))
    return found


def _words(
    group: str, kind: type[AdapterPreset | TrainerPreset], chosen: AdapterPreset | TrainerPreset | str | None
) -> list[str]:
    if chosen is None:
        return []
    if isinstance(chosen, str):
        return [f"{group}={chosen}"]
    if not isinstance(chosen, kind):
        raise UsageError(
            f"{group}={excerpt(chosen)} is no {group} preset: give the name of one, or what adapterkit.presets."
            f"{group}(NAME) returns. One key alone goes into overrides: ['{group}.KEY=VALUE']."
        )
    return chosen.overrides()


def _overrides(given: Any) -> list[str]:
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
        raise UsageError(
            f"overrides={excerpt(given)} cannot be used: it takes a list of words, each as one writes it behind "
            "`adapterkit train`, such as overrides=['name=x', 'adapter.r=4']."
        )
    return list(given)


def _differences(group: str, wanted: Any, there: Any) -> Iterator[str]:
    for field in dataclasses.fields(wanted):
        value = getattr(wanted, field.name)
        if field.name not in ("name", "purpose") and value != getattr(there, field.name):
            # Of a trainer, null means the proposal of the adapter; of an adapter, it is a value.
            proposed = f"${{adapter.{field.name}}}" if group == "trainer" and value is None else quoted(value)
            yield f"{group}.{field.name}={proposed}"
