"""Import what each extra of the installed adapterkit brings, from where it is installed.

python .ci/extras.py               every extra that the metadata lists and that goes with the others
python .ci/extras.py demo gguf     these
python .ci/extras.py --list        the names of the former, as pip wants them: adapterkit[a,b]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Stubs for type checkers: nothing in them can be imported.
STUBS = {"types-pyyaml"}
# No environment can hold these beside the others: `make docs` makes one of its own, and uses all that it brings.
APART = {"docs"}


def main() -> None:
    """Import what every extra that is named brings, or all that go together; leave with what is wrong."""
    known = sorted(metadata("adapterkit").get_all("Provides-Extra") or ())
    together = [extra for extra in known if extra not in APART]
    if sys.argv[1:] == ["--list"]:
        print(",".join(together))
        return
    wanted = sys.argv[1:] or together
    if unknown := sorted(set(wanted) - set(known)):
        sys.exit(f"adapterkit has no extra {', '.join(unknown)}, but {', '.join(known)}")
    problems = []
    for extra in wanted:
        start = time.perf_counter()
        needs = sorted(set(brought(extra)), key=str)
        found = [problem for need in needs for problem in wrong_with(need)]
        problems += [f"{extra}: {problem}" for problem in found]
        names = ", ".join(f"{need.name} {installed(need.name)}" for need in needs)
        print(f"{extra:12} {time.perf_counter() - start:5.1f} s  {names}", flush=True)
    if problems:
        sys.exit("\n".join(problems))


def brought(extra: str) -> Iterator[Requirement]:
    """What an extra requires beyond adapterkit's own dependencies, through the extras that it names itself."""
    for need in map(Requirement, requires("adapterkit") or ()):
        if need.marker is None or not need.marker.evaluate({"extra": extra}) or need.marker.evaluate({"extra": ""}):
            continue
        if canonicalize_name(need.name) == "adapterkit":
            for inner in need.extras:
                yield from brought(inner)
        else:
            yield need


def wrong_with(need: Requirement) -> Iterator[str]:
    """A line when a requirement is not installed, is another version, or a module of it cannot be imported."""
    if (found := installed(need.name)) is None:
        yield f"{need} is not installed"
        return
    if not need.specifier.contains(found, prereleases=True):
        yield f"{need.name} {found} is installed, and {need} is required"
    if canonicalize_name(need.name) in STUBS:
        return
    if not (modules := modules_of().get(canonicalize_name(need.name))):
        yield f"{need.name} {found} brings no module"
        return
    for module in sorted(modules):
        try:
            import_module(module)
        # Whatever a library raises at its import, it is this library that cannot be imported.
        except Exception as error:
            yield f"import {module} ({need.name} {found}): {type(error).__name__}: {error}"


def installed(name: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def modules_of() -> dict[str, set[str]]:
    """The modules of every installed distribution, by its canonical name; private ones are its own affair."""
    found: dict[str, set[str]] = {}
    for module, owners in packages_distributions().items():
        for owner in owners:
            if module.isidentifier() and not module.startswith("_"):
                found.setdefault(canonicalize_name(owner), set()).add(module)
    return found


if __name__ == "__main__":
    main()
