"""Blocks of work: any backend gives the same results, and a worker that is killed costs none."""

from __future__ import annotations

import math
import os
import signal
from concurrent.futures import BrokenExecutor

import joblib
import pytest
from latentwalk.utils._blocks import run_blocks

EXPECTED = [math.sqrt(number) for number in range(7)]


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_are_in_order_on_any_backend(backend, n_jobs):
    with joblib.parallel_config(backend=backend):
        assert list(run_blocks(math.sqrt, range(7), take=int, n_jobs=n_jobs)) == EXPECTED


def test_a_block_is_taken_when_its_turn_comes_and_not_before():
    taken = []

    def take(block):
        taken.append(block)
        return block

    results = run_blocks(math.sqrt, range(50), take=take, n_jobs=1)
    assert next(results) == 0
    assert len(taken) < 10
    results.close()


def killer(folder, times):
    """A function that kills its process at block 4, so many times."""

    def function(number):
        marks = len(os.listdir(folder))
        if number == 4 and marks < times:
            open(os.path.join(folder, str(marks)), "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return math.sqrt(number)

    return function


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    function = killer(str(tmp_path), times=1)
    with pytest.warns(UserWarning, match="a worker died: . of 7 blocks are run once more"):
        assert list(run_blocks(function, range(7), take=int, n_jobs=2)) == EXPECTED
    assert len(list(tmp_path.iterdir())) == 1


def test_a_worker_that_is_killed_again_is_an_error(tmp_path):
    function = killer(str(tmp_path), times=9)
    with pytest.warns(UserWarning, match="a worker died"), pytest.raises(BrokenExecutor):
        list(run_blocks(function, range(7), take=int, n_jobs=2))
