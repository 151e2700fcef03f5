"""Weights from gains."""

from __future__ import annotations

import math

import pytest

from adapterkit.errors import UsageError
from adapterkit.merging.performance import MeasuredLoss, weights_by_gain


def test_in_proportion_to_the_gain():
    found = weights_by_gain([MeasuredLoss("a@1.0.0", 3.0, 2.0), MeasuredLoss("b@1.0.0", 4.0, 3.5)])
    assert found == pytest.approx((2 / 3, 1 / 3))


def test_every_adapter_that_has_none_is_named():
    with pytest.raises(UsageError) as raised:
        weights_by_gain(
            [
                MeasuredLoss("good@1.0.0", 3.0, 2.0),
                MeasuredLoss("worse@1.0.0", 3.0, 3.25),
                MeasuredLoss("same@1.0.0", 3.0, 3.0),
                MeasuredLoss("unknown@1.0.0", 3.0, None),
                MeasuredLoss("odd@1.0.0", math.nan, 2.0),
            ]
        )
    told = str(raised.value)
    assert "good" not in told
    assert "worse@1.0.0: 3.0000 -> 3.2500 nats a token is no gain" in told
    assert "same@1.0.0: 3.0000 -> 3.0000 nats a token is no gain" in told
    assert "unknown@1.0.0: loss before 3.0000, after not measured" in told
    assert "odd@1.0.0" in told


def test_nothing_to_weigh():
    with pytest.raises(UsageError, match="nothing to weigh"):
        weights_by_gain([])
