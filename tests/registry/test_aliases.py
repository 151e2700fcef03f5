"""Aliases: where they lead, how they move back, and what a damaged or racing history does."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapterkit.artifacts import VerificationReport
from adapterkit.errors import ArtifactError, RefNotFoundError, RegistryError, UnknownNameError, UsageError
from adapterkit.manifest import WEIGHTS_FILE
from adapterkit.names import AdapterRef, Version
from adapterkit.registry import Registry
from adapterkit.registry.aliases import last_number, move_alias
from tests.registry.conftest import Publish


def files_of(registry: Registry, ref: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in registry.resolve(ref).path.iterdir()}


def test_a_bad_update_is_rolled_back_byte_for_byte(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    good = files_of(registry, "unified")
    publish(seed=1)
    assert files_of(registry, "unified") != good
    moved = registry.rollback("unified")
    assert (moved.before, moved.now) == (Version(1, 1, 0), Version(1, 0, 0))
    assert files_of(registry, "unified") == files_of(registry, "unified@latest") == good
    assert registry.versions("unified") == [Version(1, 0, 0), Version(1, 1, 0)]


def test_what_is_published_after_a_rollback_is_latest_again(publish: Publish, registry: Registry) -> None:
    publish(seed=0), publish(seed=1)
    registry.rollback("unified")
    third = publish(seed=2)
    assert str(third.ref) == "unified@1.2.0"
    assert registry.exact("unified") == third.ref
    # Back goes to what was good before, not to the version that was rolled back.
    assert registry.rollback("unified").now == Version(1, 0, 0)


def test_each_rollback_goes_one_further_back(publish: Publish, registry: Registry) -> None:
    for seed in range(3):
        publish(seed=seed)
    assert [str(registry.rollback("unified").now) for _ in range(2)] == ["1.1.0", "1.0.0"]
    with pytest.raises(UsageError, match="nothing to go back to"):
        registry.rollback("unified")


def test_a_chosen_version(publish: Publish, registry: Registry) -> None:
    for seed in range(3):
        publish(seed=seed)
    assert registry.rollback("unified", to=Version(1, 0, 0)).now == Version(1, 0, 0)
    assert str(registry.exact("unified")) == "unified@1.0.0"
    assert str(registry.promote("unified@1.2.0", "latest").now) == "1.2.0"
    assert registry.rollback("unified", to="1.1.0").now == Version(1, 1, 0)
    with pytest.raises(UsageError, match=r"'1\.1' is not a version"):
        registry.rollback("unified", to="1.1")
    assert str(registry.exact("unified")) == "unified@1.1.0"
    registry.promote("unified@1.2.0", "latest")
    assert str(registry.exact("unified")) == "unified@1.2.0"


def test_going_back_to_where_an_alias_never_pointed_gives_up_what_is_newer(
    publish: Publish, registry: Registry
) -> None:
    for seed in range(4):
        publish(seed=seed)
    registry.promote("unified@1.1.0", "canary")
    registry.rollback("unified", "canary", to="1.0.0")
    # A second one, in a hurry, does not lead to what was given up.
    with pytest.raises(UsageError, match="nothing to go back to"):
        registry.rollback("unified", "canary")
    # What is older than the chosen one stays, and so does what is given up for something newer.
    registry.promote("unified@1.3.0", "canary")
    registry.rollback("unified", "canary", to="1.2.0")
    assert str(registry.rollback("unified", "canary").now) == "1.0.0"
    registry.rollback("unified", "canary", to="1.3.0")
    assert str(registry.rollback("unified", "canary").now) == "1.0.0"


def test_production_moves_only_when_told(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    with pytest.raises(RefNotFoundError, match="unified@production"):
        registry.resolve("unified@production")
    assert registry.promote("unified").before is None
    publish(seed=1)
    assert str(registry.exact("unified@production")) == "unified@1.0.0"
    registry.promote("unified@latest")
    assert registry.aliases("unified") == {"latest": Version(1, 1, 0), "production": Version(1, 1, 0)}
    assert registry.rollback("unified", "production").now == Version(1, 0, 0)
    assert registry.aliases("unified") == {"latest": Version(1, 1, 0), "production": Version(1, 0, 0)}


def test_promoting_what_is_promoted_moves_nothing(publish: Publish, registry: Registry) -> None:
    publish()
    registry.promote("unified")
    moved = registry.promote("unified")
    assert moved.before == moved.now
    assert len(list((registry.path / "unified/aliases/production").iterdir())) == 1


def test_only_what_verifies_is_promoted(publish: Publish, registry: Registry) -> None:
    published = publish()
    (published.path / WEIGHTS_FILE).write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="stays where it is") as refused:
        registry.promote("unified")
    assert [problem.file for problem in refused.value.problems] == [WEIGHTS_FILE]
    assert "production" not in registry.aliases("unified")


def test_an_alias_whose_version_is_gone_leads_nowhere_and_is_left_out(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    publish(seed=1)
    registry.promote("unified@1.0.0")
    shutil.rmtree(registry.resolve("unified@1.0.0").path)
    assert registry.aliases("unified") == {"latest": Version(1, 1, 0)}


def test_a_version_that_was_replaced_behind_an_alias_is_found(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    registry.promote("unified")
    first = registry.resolve("unified@1.0.0").path
    shutil.rmtree(first)
    publish(seed=1, version=Version(1, 0, 0))
    assert registry.resolve("unified@1.0.0").path == first
    assert registry.verify("unified@1.0.0").ok
    assert [problem.file for problem in registry.verify("unified@production").problems] == ["checksums.json"]


@pytest.mark.parametrize("alias", ["Production", "1.0.0", "", "a b", "../up", "x" * 65, "a\n"])
def test_what_no_alias_may_be(publish: Publish, registry: Registry, alias: str) -> None:
    publish()
    with pytest.raises(UsageError, match="alias"):
        registry.promote("unified", alias)


@pytest.mark.parametrize(
    ("alias", "meant"),
    [("latset", "latest"), ("latst", "latest"), ("prodution", "production"), ("prdouction", "production")],
)
def test_a_slip_of_a_known_alias_makes_no_new_one(publish: Publish, registry: Registry, alias: str, meant: str) -> None:
    publish()
    with pytest.raises(UnknownNameError, match=rf"mean {meant}\? .* adapterkit promote unified --to {meant} "):
        registry.promote("unified", alias)
    assert registry.aliases("unified") == {"latest": Version(1, 0, 0)}


def test_an_alias_of_ones_own_may_be_like_another(publish: Publish, registry: Registry) -> None:
    publish()
    for alias in ("latest2", "production-eu", "stable", "stabel", "past"):
        registry.promote("unified", alias)
    assert len(registry.aliases("unified")) == 6


def test_of_two_who_move_an_alias_at_once_one_is_told(publish: Publish, registry: Registry) -> None:
    published = publish()

    def move(_: int) -> str | None:
        try:
            seen = last_number(registry.path / "unified", "canary")
            move_alias(
                registry.path / "unified", "canary", "promote", Version(1, 0, 0), published.digest, Version(1, 0, 0),
                after=seen,
            )  # fmt: skip
        except RegistryError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(move, range(200)))
    numbers = sorted(int(path.stem) for path in (registry.path / "unified/aliases/canary").iterdir())
    assert numbers == list(range(1, told.count(None) + 1))
    assert all("somebody else" in what for what in told if what is not None)


@pytest.mark.parametrize("move", ["promote", "rollback"])
def test_what_was_decided_on_a_move_that_is_not_the_newest_is_told(
    publish: Publish, registry: Registry, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    """Verifying takes long on real weights: somebody else may move the alias meanwhile, or publish."""
    for seed in range(3):
        publish(seed=seed)
    for version in ("1.0.0", "1.1.0"):
        registry.promote(f"unified@{version}")
    verify = registry.verify

    def slowly(ref: AdapterRef) -> VerificationReport:
        monkeypatch.setattr(registry, "verify", verify)
        registry.promote("unified@1.2.0")
        return verify(ref)

    monkeypatch.setattr(registry, "verify", slowly)
    with pytest.raises(RegistryError, match="moved by somebody else"):
        registry.promote("unified@1.0.0") if move == "promote" else registry.rollback("unified", "production")
    assert str(registry.exact("unified@production")) == "unified@1.2.0"


def test_what_is_published_while_latest_is_rolled_back_is_not_held_back(
    publish: Publish, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(seed=0), publish(seed=1)
    verify = registry.verify

    def slowly(ref: AdapterRef) -> VerificationReport:
        monkeypatch.setattr(registry, "verify", verify)
        publish(seed=2)
        return verify(ref)

    monkeypatch.setattr(registry, "verify", slowly)
    registry.rollback("unified")
    assert str(registry.exact("unified")) == "unified@1.2.0"


def test_a_lost_version_is_no_target(publish: Publish, registry: Registry) -> None:
    publish(seed=0), publish(seed=1)
    registry.promote("unified@1.0.0")
    registry.promote("unified@1.1.0")
    registry.resolve("unified@1.1.0").path.rename(registry.path / "elsewhere")
    with pytest.raises(RefNotFoundError):
        registry.resolve("unified@production")
    assert str(registry.exact("unified")) == "unified@1.0.0"


def test_a_rollback_takes_off_one_move_also_where_a_version_was_promoted_twice(
    publish: Publish, registry: Registry
) -> None:
    for seed in range(3):
        publish(seed=seed)
    for version in ("1.0.0", "1.1.0", "1.0.0", "1.2.0"):
        registry.promote(f"unified@{version}")
    back = [str(registry.rollback("unified", "production").now) for _ in range(3)]
    assert back == ["1.0.0", "1.1.0", "1.0.0"]


def test_what_was_rolled_back_does_not_come_back_when_the_good_version_is_collected(
    publish: Publish, registry: Registry
) -> None:
    publish(seed=0)
    publish("child", seed=9, on=publish(seed=1))
    registry.rollback("unified")
    for seed in (2, 3):
        publish(seed=seed)
    planned = registry.plan_collection(keep=1)
    assert [str(ref) for ref in registry.collect(planned, keep=1).versions] == ["unified@1.0.0"]
    # 1.1.0 is there still, for its child, and was given up.
    assert registry.rollback("unified").now == Version(1, 2, 0)
    with pytest.raises(UsageError, match="nothing to go back to"):
        registry.rollback("unified")


def test_a_rollback_past_the_last_does_not_tell_that_it_never_moved(publish: Publish, registry: Registry) -> None:
    publish(seed=0), publish(seed=1), publish(seed=2)
    registry.rollback("unified", to=Version(1, 0, 0))
    with pytest.raises(
        UsageError, match=r"is 1\.0\.0, where it began as far as anything is left of that"
    ) as rolled_back:
        registry.rollback("unified")
    assert "all along" not in str(rolled_back.value)
    registry.promote("unified@1.2.0", "latest")
    for version in ("1.0.0", "1.1.0"):
        shutil.rmtree(registry.path / "unified" / version)
    with pytest.raises(UsageError, match=r"is 1\.2\.0, where it began as far as anything is left of that"):
        registry.rollback("unified")
