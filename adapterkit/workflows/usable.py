"""Whether a training's config can be used, told before the libraries that train: those take seconds to import."""

from __future__ import annotations

from adapterkit.config.checks import check_values
from adapterkit.config.schema import TrainConfig
from adapterkit.names import check_name


def usable(config: TrainConfig) -> TrainConfig:
    """The config, once its values can be used and the file, persona and style that it names are there.

    Raises:
        AdapterKitError: they cannot, or are not.
    """
    check_name(config.full_name, said_as="name=")
    check_values(config)
    from adapterkit.data.readers import check_named

    check_named(config.data, config.persona)
    return config
