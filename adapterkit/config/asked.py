"""What a training was asked for: recipe, overrides, and the config files that took part, to be asked again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from adapterkit.config.literal import literal
from adapterkit.config.locate import config_root
from adapterkit.digest import json_digest, sha256_bytes
from adapterkit.errors import UsageError

PRIMARY = "train"
MERGE = "merge"
# Where a training runs and whether it starts at all; none of it changes what is trained.
_PLACES = ("registry", "output_dir", "force", "resume", "device")
# Who speaks, and what is said of it.
_TOLD = ("persona", "name", "description", "intended_use", "tags")


@dataclass(frozen=True)
class Asked:
    """One training as its command asked for it.

    Attributes:
        recipe: the recipe's name; null for a plain command.
        overrides: what was said besides, in Hydra's grammar.
        config_dir: the user's own folder of configs, as given.
        sources: config file by name (`recipe/unified`) -> digest of its content.
    """

    recipe: str | None = None
    overrides: tuple[str, ...] = ()
    config_dir: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def but_for_the_persona(self) -> tuple[object, ...]:
        """Equal for commands that differ in whose voice is trained and what it is called, and in nothing else."""
        kept = tuple(word for word in self.overrides if _key(word) not in _TOLD)
        return self.recipe, kept, self.says_whose, self.config_dir, tuple(sorted(self.sources.items()))

    @property
    def says_whose(self) -> bool:
        """Whether the command names the persona, so that a recipe cannot."""
        return any(_key(word) == "persona" for word in self.overrides)

    @property
    def command(self) -> list[str]:
        """The arguments that Hydra composes it from."""
        return [*([f"+recipe={self.recipe}"] if self.recipe else []), *self.overrides]


UNASKED = Asked()


def asked_for(
    arguments: Sequence[str], files: Iterable[str], *, config_dir: str | None = None, suffix: str | None = None
) -> Asked:
    """Sort a job's overrides.

    Args:
        arguments: the overrides of one job.
        files: names of the config files that took part.
        config_dir: the user's own folder of configs.
        suffix: what an override of `suffix` came to, since as written it may ask the running job; null: as written.

    Raises:
        UsageError: a file of the user's bears the name of one that adapterkit brings.
    """
    files = sorted(set(files))
    if config_dir is not None:
        _require_no_namesake(files, config_dir)
    if suffix is not None:
        arguments = [f"suffix={quoted(suffix)}" if _key(word) == "suffix" else word for word in arguments]
    recipes = [word.partition("=")[2] for word in arguments if _key(word) == "recipe"]
    kept = tuple(word for word in arguments if _key(word) not in (*_PLACES, "recipe"))
    return Asked(recipes[-1] if recipes else None, kept, config_dir, sources_now(files, config_dir))


def sources_now(files: Iterable[str], config_dir: str | None) -> dict[str, str]:
    """The digest of each config file as it is now; a file that is not there any more has none."""
    found = {name: source_digest_now(name, config_dir) for name in files}
    return {name: digest for name, digest in found.items() if digest is not None}


def source_digest_now(name: str, config_dir: str | None) -> str | None:
    """The digest of what a config file says, comments and layout aside; null when there is no such file."""
    own = [Path(config_dir)] if config_dir else []
    for folder in (*_built_in(), *own):
        path = folder / f"{name}.yaml"
        if path.is_file():
            return _content_digest(path.read_bytes())
    return None


def _require_no_namesake(files: Iterable[str], config_dir: str) -> None:
    """Refuse a file of the user's that Hydra would pass over, because adapterkit has one of that name."""
    for name in files:
        own = Path(config_dir) / f"{name}.yaml"
        if own.is_file() and any((folder / f"{name}.yaml").is_file() for folder in _built_in()):
            raise UsageError(
                f"{own} bears the name of a config that adapterkit brings, which would be used in its place. Rename "
                f"it, such as to {own.with_stem(f'my_{own.stem}').name}."
            )


def _built_in() -> tuple[Path, ...]:
    return config_root() / "conf", config_root() / "recipes"


def leaf_overrides(wanted: Mapping[str, Any], composed: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Overrides that turn one composed config into another: `key.path=value` for every leaf that differs.

    Args:
        wanted: plain values, as they shall be.
        composed: plain values, as they are without the overrides.
        prefix: what the keys stand under, with its dot.
    """
    found: list[str] = []
    for key, value in wanted.items():
        if isinstance(value, Mapping) and isinstance(composed.get(key), Mapping):
            found += leaf_overrides(value, composed[key], f"{prefix}{key}.")
        elif value != composed.get(key):
            found.append(f"{prefix}{key}={quoted(value)}")
    return found


def quoted(value: Any) -> str:
    """A null, flag, number, text or list of these in Hydra's override grammar; a text comes back as it is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(quoted(entry) for entry in value) + "]"
    return in_quotes(literal(str(value)))


def in_quotes(text: str) -> str:
    """A text in Hydra's override grammar, for a key whose interpolations Hydra does not resolve: its search path."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def _content_digest(data: bytes) -> str:
    """The package directive counts: it says where the content goes. What is no YAML counts byte by byte."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return sha256_bytes(data)
    package = next((line.strip() for line in text.splitlines() if line.startswith("# @package")), "")
    try:
        content = yaml.safe_load(text)
        return json_digest([package, content])
    except (yaml.YAMLError, TypeError, ValueError):
        return json_digest([package, text])
