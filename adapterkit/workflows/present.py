"""The present to compare an adapter with: its base, its data and its recipe as they are on this machine now."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from adapterkit.base.nearby import nearby_digests
from adapterkit.config.asked import Asked, source_digest_now
from adapterkit.config.schema import DataConfig, TrainConfig
from adapterkit.digest import sha256_file
from adapterkit.errors import AdapterKitError
from adapterkit.manifest import RecipeRecord
from adapterkit.registry import Entry, Look, Reason
from adapterkit.texts import one_line
from adapterkit.training.run_key import TRAINING_SCHEMA, data_settings_digest, settings, settings_digest
from adapterkit.workflows.recorded import recorded_config

# Reading rows takes from a millisecond to seconds, and a changed file may be that of thousands of adapters.
MOST_READ = 100


@dataclasses.dataclass(frozen=True)
class _Recomposed:
    """What a recorded command comes to now: the config, or why there is none."""

    config: TrainConfig | None = None
    failure: str = ""


class Present:
    """Looks at each base, file, package and config once, however many adapters stand on it. Use it in a `with`.

    Args:
        most_read: of how many adapters the rows are read when their files changed; null: of all.
    """

    def __init__(self, most_read: int | None = MOST_READ) -> None:
        self._most_read, self._read = most_read, 0
        self._bases: dict[tuple[str, str | None], tuple[str, str | None] | None] = {}
        self._sources: dict[tuple[str, str | None], str | None] = {}
        self._stamps: dict[str, str | None] = {}
        self._composed: dict[object, _Recomposed] = {}
        self._differences: dict[tuple[str, str], str] = {}
        self._configs: dict[str, TrainConfig] = {}
        self._hydra = ExitStack()
        self._composing = False

    def __enter__(self) -> Present:
        return self

    def __exit__(self, *_: object) -> None:
        self._hydra.close()
        self._composing = False

    def recipe(self, entry: Entry, look: Look) -> None:
        """Would the command that trained it ask for the same training now? Comes before the other two."""
        recipe = entry.recipe
        self._configs.pop(entry.ref, None)
        if recipe is None:
            return
        if recipe.schema != TRAINING_SCHEMA:
            told = f"{recipe.schema} -> {TRAINING_SCHEMA}"
            look.stale.append(Reason("recipe", f"adapterkit trains otherwise now (training schema {told})"))
        where = recipe.config_dir
        moved = [name for name, digest in recipe.sources.items() if self._source(name, where) != digest]
        if not moved:
            return
        if where is not None and not Path(where).is_dir():
            look.unknown.append(Reason("recipe", f"{where} is not here"))
            return
        found = self._recomposed(asked_of(recipe))
        if found.config is None:
            told = f"{', '.join(moved)} changed, and cannot be asked for any more: {found.failure}"
            look.stale.append(Reason("recipe", told, final=True))
            return
        self._configs[entry.ref] = found.config
        look.asked = found.config.parent
        look.stale += [Reason("recipe", what) for what in self._changes(entry, recipe, found.config)]

    def base(self, entry: Entry, look: Look) -> None:
        """Is the base that its id leads to still the one that was trained on?"""
        identity, config = entry.readable.base.identity, self._configs.get(entry.ref)
        key = (config.model.id, config.model.revision) if config else (identity.id, identity.revision)
        if key not in self._bases:
            self._bases[key] = nearby_digests(*key)
        now = self._bases[key]
        if now is None:
            look.unknown.append(Reason("base", f"{key[0]} is not here"))
        elif now[0] != identity.source_digest:
            told = f"{identity.source_digest[:12]} -> {now[0][:12]}"
            look.stale.append(Reason("base", f"{key[0]} has other weights now: {told}"))
        elif identity.tokenizer_digest not in (None, now[1]):
            look.stale.append(Reason("base", f"{key[0]} has another tokenizer or chat template now"))

    def data(self, entry: Entry, look: Look) -> None:
        """Are the rows that would be read now the ones that it was trained on?"""
        origins = entry.readable.data.origins
        now = {origin: self._stamp(origin) for origin in origins}
        lost = [origin.partition(":")[2] for origin, stamp in now.items() if stamp is None]
        moved = [origin.partition(":")[2] for origin, stamp in now.items() if stamp not in (None, origins[origin])]
        config = self._configs.get(entry.ref)
        named_otherwise = config and entry.recipe and data_settings_digest(config) != entry.recipe.rows
        if lost and not named_otherwise:
            look.unknown.append(Reason("data", f"{', '.join(lost)} is not here", final=True))
        elif moved or named_otherwise or self._whose_changed(entry):
            self._compare_rows(entry, look, ", ".join(moved) or entry.readable.data.source)

    def _compare_rows(self, entry: Entry, look: Look, source: str) -> None:
        """Read the rows themselves: a file may change in rows that are not this adapter's."""
        self._read += 1
        if self._most_read is not None and self._read > self._most_read:
            told = f"{source} changed, and whether in their own rows was looked at for {self._most_read} adapters alone"
            look.unknown.append(Reason("data", told))
            return
        try:
            same = self._rows(entry) == entry.readable.data.digest
        except AdapterKitError as error:
            told = f"{source} changed, and cannot be used any more: {one_line(str(error))}"
            look.stale.append(Reason("data", told, final=True))
            return
        if not same:
            look.stale.append(Reason("data", f"{source} has other rows now"))

    def _rows(self, entry: Entry) -> str:
        # `data` takes a quarter of a second to come, and most looks find every file as it was: so it does below, too.
        from adapterkit.data.readers import read_splits

        config = self._configs.get(entry.ref)
        data: DataConfig = (config or recorded_config(Path(entry.path))).data
        return read_splits(data, self._whose(entry)).digest

    def _whose_changed(self, entry: Entry) -> bool:
        """Whether another persona would be trained now; where no command was recorded, nobody knows of one."""
        return entry.recipe is not None and self._whose(entry) != entry.recipe.persona

    def _whose(self, entry: Entry) -> str | None:
        """The persona that would be trained now."""
        recipe, config = entry.recipe, self._configs.get(entry.ref)
        if recipe is None:
            return recorded_config(Path(entry.path)).persona
        return recipe.persona if config is None or asked_of(recipe).says_whose else config.persona

    def _changes(self, entry: Entry, recipe: RecipeRecord, now: TrainConfig) -> Iterator[str]:
        """One line for each setting that would train to other weights."""
        recorded, present = recipe.settings, settings_digest(now)
        if recorded != present and recipe.schema == TRAINING_SCHEMA:
            if (recorded, present) not in self._differences:
                self._differences[recorded, present] = "; ".join(_differences(recorded_config(Path(entry.path)), now))
            yield self._differences[recorded, present] or "its settings changed"
        for key, was in entry.readable.base.identity.quantization.items():
            if (is_now := getattr(now.quantization, key, None)) != was:
                yield f"quantization.{key} {was} -> {is_now}"

    def _recomposed(self, asked: Asked) -> _Recomposed:
        """What a command comes to now; commands that differ in the persona alone are composed once."""
        shared_key = asked.but_for_the_persona
        own_key = (shared_key, asked.overrides)
        known = self._composed.get(shared_key) or self._composed.get(own_key)
        if known is None:
            known, shared = self._compose(asked)
            self._composed[shared_key if shared else own_key] = known
        return known

    def _compose(self, asked: Asked) -> tuple[_Recomposed, bool]:
        # Hydra takes a tenth of a second to come, and is needed only where a config changed.
        from adapterkit.config.compose import compose_asked, composing
        from adapterkit.config.outcome import EXPECTED, message_of

        if not self._composing:
            self._hydra.enter_context(composing())
            self._composing = True
        try:
            composition = compose_asked(asked)
        except EXPECTED as error:
            return _Recomposed(failure=one_line(message_of(error))), False
        return _Recomposed(composition.config), composition.shared

    def _source(self, name: str, config_dir: str | None) -> str | None:
        """The digest of a config file; None when it is not there any more."""
        if (name, config_dir) not in self._sources:
            self._sources[name, config_dir] = source_digest_now(name, config_dir)
        return self._sources[name, config_dir]

    def _stamp(self, origin: str) -> str | None:
        """The sha256 of a file, an archive or a pack's folder, the version of a package or of Python.

        None when it is not here.
        """
        if origin not in self._stamps:
            kind, _, name = origin.partition(":")
            self._stamps[origin] = _STAMPS.get(kind, _package_stamp)(name)
        return self._stamps[origin]


def asked_of(recipe: RecipeRecord) -> Asked:
    """The command that a manifest records."""
    return Asked(recipe.recipe, recipe.overrides, recipe.config_dir, recipe.sources)


def _differences(before: TrainConfig, now: TrainConfig) -> Iterator[str]:
    """One line for each setting, of those that the run key covers, that differs."""
    old, new = settings(before), settings(now)
    for key in {**old, **new}:
        yield from _leaves(key, old.get(key), new.get(key))


def _leaves(key: str, was: Any, now: Any) -> Iterator[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        for part in sorted({*was, *now}):
            yield from _leaves(f"{key}.{part}", was.get(part), now.get(part))
    elif was != now:
        yield f"{key} {was} -> {now}"


def _file_stamp(name: str) -> str | None:
    """Of a plain file alone: a manifest may name a pipe, or a device without an end."""
    try:
        path = Path(name)
        return sha256_file(path) if path.is_file() else None
    except (OSError, ValueError):
        return None


def _pack_stamp(name: str) -> str | None:
    """Of a style pack alone: a manifest may name any folder, and this one was not found by walking a whole disk."""
    from adapterkit.data.pack_files import pack_digest

    try:
        return pack_digest(Path(name))
    except ValueError:
        return None


def _package_stamp(name: str) -> str | None:
    try:
        return version(name)
    except (PackageNotFoundError, ValueError):
        return None


def _archive_stamp(name: str) -> str | None:
    from adapterkit.data.sdists import archive_path

    return _file_stamp(str(archive_path(name)))


_STAMPS: dict[str, Callable[[str], str | None]] = {
    "file": _file_stamp,
    "folder": _pack_stamp,
    "package": _package_stamp,
    "python": lambda name: platform.python_version(),
    "sdist": _archive_stamp,
}
