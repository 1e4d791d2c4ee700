"""How many files of a folder are read as images, refused, fail in another way, or hang.

Every file is tried on its own, whatever its name is, in a process with a limit of time. "refused"
is an error of latentwalk's own that says why. "failed" is any other error and "hung" is the end of
the time: there should be none of both. Whether the values that are read are right is tested in
tests/datasets.

    python benchmarks/read_files.py --data .venv/lib/python*/site-packages/pydicom/data/test_files
    pip download --no-deps --no-binary :all: pillow==11.3.0 && tar xf pillow-11.3.0.tar.gz
    python benchmarks/read_files.py --data pillow-11.3.0/Tests/images
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from latentwalk.datasets import ImageFiles

OUTCOMES = ("read", "refused", "failed", "hung")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder, with its subfolders")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--limit", type=float, default=30, help="seconds for one file")
    parser.add_argument("--show", action="store_true", help="print each file and its outcome")
    return parser.parse_args()


def read(path, size):
    """The outcome of one file, and the error's text."""
    warnings.simplefilter("ignore")
    try:
        images = np.asarray(ImageFiles([path], size=size))
    except (ValueError, ImportError) as error:  # UnreadableImageError is a ValueError
        return "refused", str(error)
    except Exception as error:
        return "failed", repr(error)
    return ("read", "") if images.shape[2:] == (size, size) else ("failed", "another shape")


def main():
    args = parse()
    paths = sorted(path for path in args.data.rglob("*") if path.is_file())
    counts, by_suffix = Counter(), Counter()
    pool = multiprocessing.Pool(1)
    for path in paths:
        try:
            outcome, why = pool.apply_async(read, (path, args.size)).get(args.limit)
        except multiprocessing.TimeoutError:
            outcome, why = "hung", f"more than {args.limit:g} s"
            pool.terminate()
            pool = multiprocessing.Pool(1)
        counts[outcome] += 1
        by_suffix[path.suffix.lower() or "(none)", outcome] += 1
        if args.show or outcome in ("failed", "hung"):
            print(f"{outcome:8} {path.relative_to(args.data)}: {why}")
    pool.terminate()
    print(f"{'suffix':10}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES))
    for suffix in sorted({suffix for suffix, _ in by_suffix}):
        print(f"{suffix:10}" + "".join(f"{by_suffix[suffix, o]:9}" for o in OUTCOMES))
    print(f"{'all':10}" + "".join(f"{counts[outcome]:9}" for outcome in OUTCOMES))


if __name__ == "__main__":
    main()
