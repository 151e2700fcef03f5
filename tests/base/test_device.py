"""Devices: chosen, checked and named."""

import pytest
import torch

from adapterkit.base.device import device_name, resolve_device
from adapterkit.errors import UsageError


def test_a_device_is_named_as_its_maker_does_or_by_its_type() -> None:
    assert device_name(torch.device("cpu"))
    assert device_name(torch.device("meta"))


@pytest.mark.parametrize("wanted", ["gpu0", "cuda:99"])
def test_a_device_that_is_not_here_is_an_error_with_the_way_out(wanted: str) -> None:
    with pytest.raises(UsageError, match="device=cpu"):
        resolve_device(wanted)
