"""Find `conf/` and `recipes/`, wherever adapterkit runs from: a checkout, an editable install or a wheel."""

from __future__ import annotations

from pathlib import Path

from adapterkit.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent.parent


def config_root() -> Path:
    """The absolute folder that holds `conf` and `recipes`: the package's own (wheel) or its parent (checkout).

    Raises:
        UsageError: neither holds `conf/train.yaml`; the installation is broken.
    """
    for folder in (_PACKAGE, _PACKAGE.parent):
        if (folder / "conf" / "train.yaml").is_file():
            return folder
    raise UsageError(f"No conf/train.yaml in {_PACKAGE} or beside it. Install adapterkit again: pip install adapterkit")
