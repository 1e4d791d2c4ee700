from __future__ import annotations

import pickle
import subprocess
import sys

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


def test_a_result_is_written_where_it_is_asked_for(tmp_path):
    out = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.int64, (10,))
    rows = map_batches(lambda s: np.arange(s.start, s.stop), 10, batch_size=3, out=out)
    assert rows is out
    assert np.load(tmp_path / "a.npy").tolist() == list(range(10))


def test_a_function_that_loses_rows_is_an_error():
    with pytest.raises(ValueError, match=r"rows: 4 rows gave an array of shape \(1,\)"):
        map_batches(lambda s: np.zeros(1), 10, batch_size=4)


# torch has no error class of its own for the memory of a CPU: the system refuses it here
SMALL_MEMORY = """
import resource, sys, warnings
import numpy as np
import torch
from latentwalk.utils import map_batches

def function(rows):
    n = rows.stop - rows.start
    if sys.argv[1] == "torch":
        return torch.zeros(n, 2**22).numpy()[:, 0] + np.arange(rows.start, rows.stop)
    return np.zeros((n, 2**22), np.float32)[:, 0] + np.arange(rows.start, rows.stop)

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20,) * 2)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert map_batches(function, 100).tolist() == list(range(100))
print([str(warning.message) for warning in caught])
try:
    map_batches(function, 100, batch_size=64)
except (RuntimeError, MemoryError) as error:
    print("RuntimeError" if isinstance(error, RuntimeError) else "MemoryError")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does it")
@pytest.mark.parametrize(
    ("library", "error"), [("torch", "RuntimeError"), ("numpy", "MemoryError")]
)
def test_an_automatic_batch_is_halved_when_the_memory_of_a_cpu_runs_out(library, error):
    command = [sys.executable, "-c", SMALL_MEMORY, library]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "out of memory: batch_size halved to 32" in done.stdout
    assert done.stdout.splitlines()[-1] == error


def test_other_errors_of_torch_are_not_taken_for_a_lack_of_memory():
    def function(rows):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        map_batches(function, 10)
