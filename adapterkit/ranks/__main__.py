"""Where accelerate's configs lie: `accelerate launch --config_file $(python -m adapterkit.ranks ddp_cpu) ...`."""

from __future__ import annotations

import sys
from pathlib import Path

_CONFIGS = Path(__file__).parent / "configs"


def main(arguments: list[str]) -> int:
    """Print the path of one config, or all names; exit code 2 for a name that is not there."""
    names = sorted(path.stem for path in _CONFIGS.glob("*.yaml"))
    if not arguments:
        print("\n".join(names))
        return 0
    if arguments[0] not in names or len(arguments) > 1:
        print(f"error: one of these has to be named: {', '.join(names)}", file=sys.stderr)
        return 2
    print(_CONFIGS / f"{arguments[0]}.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
