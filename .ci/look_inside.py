"""Look inside the wheel and the sdist of a folder: exactly what belongs there is there, and nothing else.

python .ci/look_inside.py dist
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Configs lie beside the package in a checkout, and inside it in a wheel.
MOVED = {"conf": "adapterkit/conf", "recipes": "adapterkit/recipes"}
# What both sides of a comparison lack is no difference, and without these Hydra or a type checker finds nothing.
VITAL = {"adapterkit/py.typed", "adapterkit/conf/train.yaml", "adapterkit/recipes/recipe/persona_on_unified.yaml"}
MAX_WHEEL_BYTES = 2_000_000


def main() -> None:
    """Compare the sdist with git and the wheel with the sdist; say what they hold, or leave with what is wrong."""
    folder = Path(sys.argv[1])
    wheel, sdist = only(folder, "*.whl"), only(folder, "*.tar.gz")
    source, package = files_of_sdist(sdist), files_of_wheel(wheel)
    problems = differences(package, packaged(source) | VITAL, wheel.name)
    if (kept := files_of_git()) is None:
        print("There is no git here: the sdist is not compared with the checkout.")
    else:
        problems += differences(source, kept, sdist.name)
    if (size := wheel.stat().st_size) > MAX_WHEEL_BYTES:
        problems.append(f"{wheel.name} has {size} bytes, {MAX_WHEEL_BYTES} at most: what large file came in?")
    if problems:
        sys.exit("\n".join([*problems, "What goes where is said under [tool.hatch.build] in pyproject.toml."]))
    for file, held in ((wheel, package), (sdist, source)):
        print(f"{file.name}: {len(held)} files, {file.stat().st_size / 1e6:.2f} MB")


def only(folder: Path, pattern: str) -> Path:
    """The one file that fits; two of a kind mean that an older build still lies there."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"{folder} holds {len(found)} files {pattern}, and should hold one: make build")
    return found[0]


def files_of_wheel(wheel: Path) -> set[str]:
    """What the wheel installs, its own metadata aside."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")}


def files_of_sdist(sdist: Path) -> set[str]:
    """What the sdist holds, below its one folder, without the metadata that the build writes."""
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive if not member.isdir()} - {"PKG-INFO"}


def files_of_git() -> set[str] | None:
    """What git tracks here or would be asked to; null without git, as in an unpacked sdist."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return set(done.stdout.split("\0")) - {""} if done.returncode == 0 else None


def packaged(source: set[str]) -> set[str]:
    """Where the wheel should have the files of a source tree."""
    homes = {"adapterkit": "adapterkit", **MOVED}
    parts = (name.partition("/") for name in source)
    return {f"{homes[top]}/{rest}" for top, slash, rest in parts if slash and top in homes}


def differences(held: set[str], wanted: set[str], where: str) -> list[str]:
    """A line for each file that is missing, and for each that does not belong there."""
    return [
        *(f"{where} lacks {name}" for name in sorted(wanted - held)),
        *(f"{where} holds {name}, which does not belong there" for name in sorted(held - wanted)),
    ]


if __name__ == "__main__":
    main()
