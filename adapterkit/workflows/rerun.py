"""One training in a process of its own: `python -m adapterkit.workflows.rerun REQUEST.json`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf

from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.literal import literal
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import AdapterKitError
from adapterkit.texts import one_line


def main(request: str) -> int:
    """Train what a request asks for: a whole config as JSON. An error is one line on stderr, and exit code 1."""
    quiet_libraries()
    from adapterkit.workflows.train import train

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # Where the copy was published is of no use to anybody.
    logging.getLogger("adapterkit.workflows.say").setLevel(logging.WARNING)
    plain = literal(json.loads(Path(request).read_text("utf-8")))
    config = cast(TrainConfig, OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), plain)))
    try:
        train(config)
    except (AdapterKitError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
