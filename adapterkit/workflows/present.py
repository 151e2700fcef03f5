"""The present to compare an adapter with: its base, its data and its recipe as they are on this machine now."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from adapterkit.base.nearby import nearby_digests
from adapterkit.config.asked import Asked, source_digest_now
from adapterkit.config.compose import compose_asked, composing
from adapterkit.config.outcome import EXPECTED, message_of
from adapterkit.config.schema import TrainConfig
from adapterkit.data.corpora import installed_version
from adapterkit.data.readers import read_splits
from adapterkit.digest import sha256_file
from adapterkit.errors import AdapterKitError
from adapterkit.registry import Entry, Look, Reason
from adapterkit.training.run_key import TRAINING_SCHEMA, WATCHING_ONLY
from adapterkit.workflows.recorded import recorded_config

# Of a config, what determines the weights; of the data, what is read is compared itself.
_SEMANTIC = ("adapter", "trainer", "seed", "parent", "quantization")


# Reading rows takes from a millisecond to seconds, and a changed file may be that of thousands of adapters.
_MOST_READ = 100


@dataclasses.dataclass(frozen=True)
class _Recomposed:
    """What a recorded command comes to now: the config, or why there is none, and what differs from before."""

    config: TrainConfig | None = None
    changes: tuple[str, ...] = ()
    other_data: bool = False
    failure: str = ""


class Present:
    """Looks at each base, file, package and config once, however many adapters stand on it. Use it in a `with`."""

    def __init__(self) -> None:
        self._bases: dict[tuple[str, str | None], tuple[str, str | None] | None] = {}
        self._sources: dict[tuple[str, str | None], str | None] = {}
        self._stamps: dict[str, str | None] = {}
        self._composed: dict[object, _Recomposed] = {}
        self._data_configs: dict[str, TrainConfig] = {}
        self._read = 0
        self._hydra = ExitStack()
        self._composing = False

    def __enter__(self) -> Present:
        return self

    def __exit__(self, *_: object) -> None:
        self._hydra.close()

    def base(self, entry: Entry, look: Look) -> None:
        """Is the base that its id leads to still the one that was trained on?"""
        identity = entry.plain["base"]["identity"]
        key = identity["id"], identity["revision"]
        if key not in self._bases:
            self._bases[key] = nearby_digests(*key)
        now = self._bases[key]
        if now is None:
            look.unknown.append(Reason("base", f"{key[0]} is not here"))
        elif now[0] != identity["source_digest"]:
            told = f"{identity['source_digest'][:12]} -> {now[0][:12]}"
            look.stale.append(Reason("base", f"{key[0]} has other weights now: {told}"))
        elif identity.get("tokenizer_digest") not in (None, now[1]):
            look.stale.append(Reason("base", f"{key[0]} has another tokenizer or chat template now"))

    def recipe(self, entry: Entry, look: Look) -> None:
        """Would the command that trained it ask for the same training now?"""
        recipe = entry.plain.get("recipe")
        if recipe is None:
            return
        if recipe["schema"] != TRAINING_SCHEMA:
            told = f"{recipe['schema']} -> {TRAINING_SCHEMA}"
            look.stale.append(Reason("recipe", f"adapterkit trains otherwise now (training schema {told})"))
        where = recipe["config_dir"]
        moved = [name for name, digest in recipe["sources"].items() if self._source(name, where) != digest]
        if not moved:
            return
        found = self._recomposed(asked_of(recipe), entry)
        if found.failure:
            told = f"{', '.join(moved)} changed, and cannot be asked for any more: {found.failure}"
            look.stale.append(Reason("recipe", told))
        elif found.changes:
            look.stale.append(Reason("recipe", "; ".join(found.changes)))
        if found.config is not None and found.other_data:
            self._data_configs[entry.ref] = found.config

    def data(self, entry: Entry, look: Look) -> None:
        """Are the rows that would be read now the ones that it was trained on? Comes after `recipe`."""
        origins: Mapping[str, str] = entry.plain["data"].get("origins") or {}
        now = {origin: self._stamp(origin) for origin in origins}
        lost = [origin.partition(":")[2] for origin, stamp in now.items() if stamp is None]
        moved = [origin.partition(":")[2] for origin, stamp in now.items() if stamp not in (None, origins[origin])]
        if lost:
            look.unknown.append(Reason("data", f"{', '.join(lost)} is not here"))
        elif (moved or entry.ref in self._data_configs) and (what := self._other_rows(entry)):
            look.stale.append(Reason("data", f"{', '.join(moved) or entry.plain['data']['source']} {what}"))

    def _other_rows(self, entry: Entry) -> str | None:
        """What is different about the rows that would be read now; a file may change in rows that this one has not."""
        self._read += 1
        if self._read > _MOST_READ:
            return "changed; whether in its own rows was not looked at"
        try:
            recorded = recorded_config(Path(entry.path))
            data = self._data_configs.get(entry.ref, recorded).data
            same = read_splits(data, recorded.persona).digest == entry.plain["data"]["digest"]
        except AdapterKitError as error:
            return f"changed, and cannot be used any more: {_one_line(error)}"
        return None if same else "has other rows now"

    def _source(self, name: str, config_dir: str | None) -> str | None:
        """The digest of a config file; None when it is not there any more."""
        if (name, config_dir) not in self._sources:
            self._sources[name, config_dir] = source_digest_now(name, config_dir)
        return self._sources[name, config_dir]

    def _stamp(self, origin: str) -> str | None:
        """The sha256 of a file, or the version of a package; None when it is not here."""
        if origin not in self._stamps:
            kind, _, name = origin.partition(":")
            self._stamps[origin] = _file_stamp(Path(name)) if kind == "file" else installed_version(name)
        return self._stamps[origin]

    def _recomposed(self, asked: Asked, entry: Entry) -> _Recomposed:
        """What a command comes to now; commands that differ in the persona alone are composed once."""
        shared_key = asked.but_for_the_persona
        own_key = (shared_key, asked.overrides)
        known = self._composed.get(shared_key) or self._composed.get(own_key)
        if known is None:
            known, shared = self._compose(asked, entry)
            self._composed[shared_key if shared else own_key] = known
        return known

    def _compose(self, asked: Asked, entry: Entry) -> tuple[_Recomposed, bool]:
        if not self._composing:
            self._hydra.enter_context(composing())
            self._composing = True
        try:
            composition = compose_asked(asked)
            recorded = recorded_config(Path(entry.path))
        except EXPECTED as error:
            return _Recomposed(failure=_one_line(error)), False
        config = composition.config
        return _Recomposed(config, tuple(_changes(recorded, config)), config.data != recorded.data), composition.shared


def asked_of(recipe: Mapping[str, Any]) -> Asked:
    """The command that a manifest records."""
    return Asked(recipe["recipe"], tuple(recipe["overrides"]), recipe["config_dir"], dict(recipe["sources"]))


def _changes(before: TrainConfig, now: TrainConfig) -> Iterator[str]:
    """One line for each setting that would train to other weights."""
    old, new = dataclasses.asdict(before), dataclasses.asdict(now)
    pairs = [(key, old[key], new[key]) for key in _SEMANTIC]
    pairs += [(f"model.{key}", old["model"][key], new["model"][key]) for key in ("id", "revision")]
    pairs += [("data.max_length", old["data"]["max_length"], new["data"]["max_length"])]
    for key, was, is_now in pairs:
        yield from _leaves(key, was, is_now)


def _leaves(key: str, was: Any, now: Any) -> Iterator[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        for part in sorted({*was, *now} - set(WATCHING_ONLY)):
            yield from _leaves(f"{key}.{part}", was.get(part), now.get(part))
    elif was != now:
        yield f"{key} {was} -> {now}"


def _file_stamp(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None


def _one_line(error: Exception) -> str:
    return " ".join(message_of(error).split())
