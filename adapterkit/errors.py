"""The one family of errors that adapterkit raises on purpose.

Every message says what is wrong, the likely cause, and the fix. Facts that a program may want stand as attributes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from adapterkit.problem import Problem
from adapterkit.texts import counted, in_registry


class AdapterKitError(Exception):
    """Root of the family; a door prints its message without a traceback and leaves with `exit_code`."""

    exit_code = 1


class UsageError(AdapterKitError):
    """The command, the config or a ref is written wrongly (exit code 2)."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name is not among the known ones.

    Attributes:
        kind: what the name should have been, such as `persona`.
        name: the name as given.
        nearest: known names that look alike, nearest first.
    """

    def __init__(self, kind: str, name: str, nearest: Sequence[str], *, hint: str = "") -> None:
        self.kind, self.name, self.nearest = kind, name, tuple(nearest)
        meant = f" Did you mean {', '.join(nearest)}?" if nearest else ""
        super().__init__(f"Unknown {kind} '{name}'.{meant}{' ' + hint if hint else ''}")


class BudgetError(UsageError):
    """An adapter would be published in more bytes than it may have.

    Attributes:
        megabytes: what it would have, in MB of 10^6 bytes.
        limit: what it may have.
        fits: what would: (override, MB).
    """

    def __init__(self, megabytes: float, limit: float, shape: str, fits: Sequence[tuple[str, float]]) -> None:
        self.megabytes, self.limit, self.fits = megabytes, limit, tuple(fits)
        ways = "".join(f"\n  {override} fits ({size:.1f} MB)" for override, size in fits)
        told = f"Any one of these fits it:{ways}\nOr allow it" if fits else "Nothing smaller fits either. Allow it"
        super().__init__(
            f"The artifact would have {megabytes:.1f} MB ({shape}), more than budget.max_artifact_mb={limit:g} (1 MB "
            f"is 10^6 bytes). {told}: budget.max_artifact_mb={math.ceil(megabytes * 1.02)}"
        )


class MissingKeyError(UsageError):
    """A config needs a key that has no value.

    Attributes:
        key: the key, such as `persona`.
    """

    def __init__(self, key: str, what: str) -> None:
        self.key = key
        super().__init__(what)


class MissingExtraError(AdapterKitError):
    """An optional package is needed and not installed.

    Attributes:
        package: the distribution that is missing.
        fix: the command that installs it.
    """

    def __init__(self, package: str, purpose: str, fix: str) -> None:
        self.package, self.fix = package, fix
        super().__init__(f"The package '{package}' is needed for {purpose} and is not installed. Install it: {fix}")


class DataError(AdapterKitError):
    """Training data cannot be used as it stands.

    Attributes:
        path: the file, when the data came from one.
        line: the 1-based line in that file, when one line is to blame.
    """

    def __init__(self, what: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        self.path, self.line = (Path(path) if path is not None else None), line
        where = f"{path}, line {line}: " if line is not None else (f"{path}: " if path is not None else "")
        super().__init__(where + what)


class BaseLoadError(AdapterKitError):
    """A base model could not be loaded.

    Attributes:
        base_id: the hub id, folder or wheel address as given.
        what: stands against it.
    """

    def __init__(self, base_id: str, what: str) -> None:
        self.base_id, self.what = base_id, what
        super().__init__(f"Cannot load the base '{base_id}': {what}")


class BaseMismatchError(AdapterKitError):
    """The loaded base is not the one that the parents were trained on."""


class FrozenChangedError(AdapterKitError):
    """Tensors that had to stay frozen differ from their record.

    Attributes:
        changed: names of the tensors whose content differs, sorted.
        missing: names that stood in the record and are gone, sorted.
        unexpected: names that were not in the record, sorted.
    """

    def __init__(self, what: str, changed: Sequence[str], missing: Sequence[str], unexpected: Sequence[str]) -> None:
        self.changed, self.missing, self.unexpected = tuple(changed), tuple(missing), tuple(unexpected)
        super().__init__(what)


class StackError(AdapterKitError):
    """A stack cannot be built, or is not in the state it must be in."""


class TrainableSetError(StackError):
    """The set of trainable parameters is not exactly the trainee's.

    Attributes:
        missing: parameters of the trainee that are frozen, sorted.
        unexpected: parameters outside the trainee that would be trained, sorted.
    """

    def __init__(self, missing: Sequence[str], unexpected: Sequence[str]) -> None:
        self.missing, self.unexpected = tuple(missing), tuple(unexpected)
        parts = []
        if unexpected:
            parts.append(f"{counted(len(unexpected), 'frozen parameter')} would be trained, first `{unexpected[0]}`")
        if missing:
            parts.append(f"{counted(len(missing), 'parameter')} of the trainee would not, first `{missing[0]}`")
        super().__init__(
            "The trainable set is not exactly the trainee's: " + "; ".join(parts) + ". Something switched adapters, or "
            "gave the optimizer parameters, behind the stack; build the stack again with AdapterStack and switch only "
            "through it."
        )


class ParityError(StackError):
    """A child whose change is zero answers otherwise than its parent.

    Attributes:
        largest: of the differences between logits.
        answers: how many greedy answers differ.
    """

    def __init__(self, name: str, largest: float, answers: int) -> None:
        self.largest, self.answers = largest, answers
        super().__init__(
            f"'{name}' with its change at zero is not its parent: logits differ by up to {largest:.3g}, and "
            f"{counted(answers, 'answer')} differ. Nothing was published. Something besides the adapter acts on the "
            "model in evaluation: a module of its own, a hook, dropout, or a base whose bytes do not stay. To publish "
            "it all the same: test_decode_parity=false"
        )


class ArtifactError(AdapterKitError):
    """A published adapter, or one about to be published, is not what it must be.

    Attributes:
        problems: everything found wrong.
    """

    def __init__(self, what: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(what)

    @classmethod
    def of(cls, file: str, what: str) -> Self:
        """One thing wrong with one file, and no more to say."""
        problem = Problem(file, what)
        return cls(str(problem), [problem])


class NotSignedError(ArtifactError):
    """An artifact's files are as its checksums list them, and none of the given keys vouches for them."""


class SigningError(AdapterKitError):
    """A signature cannot be made, or would replace another one."""


class KeyFileError(UsageError):
    """A file does not hold the key that is needed; the message never quotes it.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str | Path, what: str, fix: str) -> None:
        self.path = Path(path)
        super().__init__(f"The key file {path} {what}.{' ' + fix if fix else ''}")


class ExportError(AdapterKitError):
    """An adapter cannot be written in the form that was asked for."""


class LossError(ExportError):
    """What an export would lose was not accepted. `measured`: the share of a layer's change, in the worst layer."""

    def __init__(self, measured: float, what: str) -> None:
        self.measured = measured
        super().__init__(what)


class RegistryError(AdapterKitError):
    """The registry does not hold what was asked for, or cannot take what was offered."""


class NeededError(RegistryError):
    """A version cannot be removed, since something leads to it or stands on it.

    Attributes:
        ref: the version.
        needs: what needs it, a line each.
    """

    def __init__(self, ref: str, needs: Sequence[str], what: str) -> None:
        self.ref, self.needs = ref, tuple(needs)
        super().__init__(what)


class RefNotFoundError(RegistryError):
    """No published adapter answers to a ref.

    Attributes:
        ref: the ref as given.
        nearest: refs that exist and look alike.
    """

    def __init__(self, ref: str, registry: str | Path, nearest: Sequence[str] = (), *, why: str = "") -> None:
        self.ref, self.nearest = ref, tuple(nearest)
        meant = f" Did you mean {', '.join(nearest)}?" if nearest else ""
        see = in_registry("adapterkit list", registry)
        where = f"{registry}" if os.path.isdir(registry) else f"{registry} (there is no such folder)"
        super().__init__(why or f"No adapter '{ref}' in the registry {where}.{meant} See: {see}")


class VersionTakenError(RegistryError):
    """The version that was to be published exists, and holds another adapter.

    Attributes:
        ref: the exact ref that is taken.
    """

    def __init__(self, ref: str, registry: str | Path) -> None:
        self.ref = ref
        name = ref.partition("@")[0]
        super().__init__(
            f"{ref} is taken in the registry {registry}: somebody published another adapter under it, and a published "
            f"version never changes. Publish without a version to get the next free one, or choose another; "
            f"see: {in_registry(f'adapterkit history {name}', registry)}"
        )


class TrackingError(AdapterKitError):
    """An experiment tracker cannot be used; nothing was trained yet."""


class TrainingError(AdapterKitError):
    """Training had to stop.

    Attributes:
        step: the optimizer step at which it stopped, when one was reached.
    """

    def __init__(self, what: str, *, step: int | None = None) -> None:
        self.step = step
        super().__init__(what)
