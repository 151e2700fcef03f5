"""Readers of data in which nobody in particular speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from adapterkit.config.schema import DataConfig
from adapterkit.data.splits import Splits
from adapterkit.errors import UsageError


class TaskReader(Protocol):
    """A reader of flat arguments that knows no personas."""

    def __call__(self, *, train: str | None, validation: str | None, test: str | None, prompt: str | None) -> Splits:
        """Read the three splits."""
        ...


class PackagedTaskReader(Protocol):
    """The same for rows that an installed package brings."""

    def __call__(
        self, *, train: str | None, validation: str | None, test: str | None, prompt: str | None, install: str | None
    ) -> Splits:
        """Read the three splits."""
        ...


def voiceless(read: TaskReader) -> Callable[[DataConfig, str | None], Splits]:
    """A reader that refuses a persona."""

    def reader(config: DataConfig, persona: str | None) -> Splits:
        _check_voiceless(config, persona)
        return read(train=config.train, validation=config.validation, test=config.test, prompt=config.prompt)

    return reader


def voiceless_package(read: PackagedTaskReader) -> Callable[[DataConfig, str | None], Splits]:
    """A reader that refuses a persona and says how its package is installed."""

    def reader(config: DataConfig, persona: str | None) -> Splits:
        _check_voiceless(config, persona)
        return read(
            train=config.train,
            validation=config.validation,
            test=config.test,
            prompt=config.prompt,
            install=config.install,
        )

    return reader


def _check_voiceless(config: DataConfig, persona: str | None) -> None:
    if persona is not None:
        raise UsageError(
            f"data={config.reader} has no personas, and persona={persona} was given. Leave persona out; for a voice "
            "take data=presidents, or your own rows with data=chat."
        )
