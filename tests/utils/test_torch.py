from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from latentwalk.utils import map_batches, pack_module, to_tensor, torch_generator, unpack_module
from torch import nn


def test_packed_modules_hold_no_tensor_values_and_come_back_equal():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    module(torch.randn(4, 1, 8, 8))
    packed = pack_module(module.eval())
    assert all(t.is_meta for t in packed.skeleton.state_dict().values())
    again = unpack_module(pickle.loads(pickle.dumps(packed)))
    assert not again.training
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(again(x), module(x), rtol=0, atol=0)
    nn.init.zeros_(module[0].weight)
    assert again[0].weight.abs().sum() > 0


def test_bytes_are_scaled_and_read_only_arrays_copied():
    X = np.full((1, 2), 255, dtype=np.uint8)
    X.flags.writeable = False
    tensor = to_tensor(X)
    assert tensor.tolist() == [[1.0, 1.0]]


def test_seeds_follow_random_state():
    draws = [torch.rand(3, generator=torch_generator(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("batch_size", [1, 3, 10, 100, "auto"])
def test_batches_keep_the_order_of_rows(batch_size):
    rows = map_batches(lambda s: np.arange(s.start, s.stop), 10, batch_size=batch_size)
    assert rows.tolist() == list(range(10))


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch_size=0"):
        map_batches(lambda s: np.zeros(1), 10, batch_size=0)
