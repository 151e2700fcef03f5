"""How a word behind `adapterkit train` or `adapterkit merge` may go on: recipes, groups, keys, and what they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from adapterkit.cli.completion.corpus_names import CORPORA, corpus_names
from adapterkit.cli.completion.held import held_refs
from adapterkit.config.choices import NEAR_DUPLICATES, ON_BAD_ROW, ON_LONG_ROW, OPTIMIZERS, STARTS, STORED
from adapterkit.config.doors import RECIPES, default_choices, groups_of, keys_of
from adapterkit.config.groups import plain_file, preset_file
from adapterkit.config.locate import config_root
from adapterkit.config.merge_schema import PERFORMANCE
from adapterkit.config.schedules import SCHEDULERS
from adapterkit.config.schema import DataConfig

_REFS = ("parent", "start_from", "adapters")
_CHOICES: dict[str, Iterable[str]] = {
    "resume": ("auto", "never"),
    "device": ("auto", "cpu", "cuda"),
    "weights": (PERFORMANCE, "null"),
    "rank": ("largest", "sum"),
    "on": ("deltas", "factors"),
    "adapter.dtype": STORED,
    "adapter.init_lora_weights": STARTS,
    "data.near_duplicates": NEAR_DUPLICATES,
    "data.on_bad_row": ON_BAD_ROW,
    "data.on_long_row": ON_LONG_ROW,
    "trainer.optimizer": OPTIMIZERS,
    "trainer.lr_scheduler": SCHEDULERS,
}


@dataclass(frozen=True)
class Line:
    """A command line that is being written.

    Attributes:
        door: `train` or `merge`.
        given: the words before the cursor's.
        registry: as an option of the verb names it; null: as a word does, or the default.
        config_dir: likewise, the user's own folder of configs.
    """

    door: str
    given: Sequence[str]
    registry: Path | None = None
    config_dir: Path | None = None

    def goes_on(self, begun: str) -> Iterator[str]:
        """The words that begin so; of lists and sweeps, the last entry goes on."""
        key, is_set, value = begun.partition("=")
        if not is_set:
            # The keys of tables are many, and come once somebody begins with one.
            keys = [key for key in keys_of(self.door) if begun or "." not in key]
            words = [f"+{RECIPES[self.door]}", *groups_of(self.door), *keys]
            yield from (f"{word}=" for word in dict.fromkeys(words) if word.startswith(begun))
            return
        cut = max(value.rfind(","), value.rfind("[")) + 1
        for each in self._values(key, value[cut:]):
            # A word with a space would be two.
            if each.startswith(value[cut:]) and " " not in each:
                yield f"{key}={value[:cut]}{each}"

    def _values(self, key: str, begun: str) -> Iterable[str]:
        if key.lstrip("+") == RECIPES[self.door]:
            return self._files("recipes", key.lstrip("+"))
        if key in groups_of(self.door):
            return self._files("conf", key)
        if key in _REFS:
            said = self._said("registry")
            return held_refs(self.registry or (Path(said) if said else None), begun)
        if key == "persona":
            return self._personas()
        return ("true", "false") if keys_of(self.door).get(key) == "bool" else _CHOICES.get(key, ())

    def _files(self, built_in: str, group: str) -> list[str]:
        places = [config_root() / built_in, *([own] if (own := self._own_configs()) else [])]
        return sorted({file.stem for place in places for file in (place / group).glob("*.yaml")})

    def _own_configs(self) -> Path | None:
        """The folder behind `--config-dir`."""
        for word, after in pairwise([*self.given, ""]):
            if word.startswith("--config-dir="):
                return Path(word.partition("=")[2])
            if word in ("--config-dir", "-cd") and after:
                return Path(after)
        return self.config_dir

    def _said(self, key: str) -> str | None:
        """What the words say of a key; the last one counts."""
        return next((word.partition("=")[2] for word in reversed(self.given) if word.startswith(f"{key}=")), None)

    def _personas(self) -> Sequence[str]:
        """Who speaks in the data that the words choose."""
        said = plain_file(preset_file("data", self._data(), kind="data"))
        config = DataConfig(reader=said["reader"], install=said.get("install"))
        config.train, config.splits = self._said("data.train"), self._said("data.splits")

        def find() -> Sequence[str]:
            from adapterkit.data.readers import list_personas

            return list_personas(config)

        return corpus_names(config.reader, find) if config.reader in CORPORA else find()

    def _data(self) -> str:
        """The file of `conf/data/`: as a word names it, or the recipe, or else the door."""
        recipe = self._said("+recipe")
        own = plain_file(config_root() / "recipes" / "recipe" / f"{recipe}.yaml") if recipe else {}
        chosen = {key: name for entry in own.get("defaults", ()) for key, name in entry.items()}
        return self._said("data") or chosen.get("override /data") or default_choices("train")["data"]
