"""A release as a dataset of torch."""

import numpy as np
import pytest
from latentwalk.release import as_torch_dataset, write_release
from torch.utils.data import DataLoader


@pytest.mark.parametrize("layout", ["flat", "folders"])
def test_images_come_with_their_classes(tmp_path, layout):
    images = np.random.default_rng(0).integers(0, 256, size=(20, 3, 8, 8), dtype=np.uint8)
    y = np.arange(20) % 2
    images[:, 0, 0, 0] = y
    names = ["ill", "healthy"]
    write_release(tmp_path / "r", images, y, class_names=names, layout=layout, allow="a test")
    dataset = as_torch_dataset(tmp_path / "r")
    assert len(dataset) == 20 and dataset.classes == ["healthy", "ill"]
    X, targets = next(iter(DataLoader(dataset, batch_size=20)))
    assert X.shape == (20, 3, 8, 8) and X.min() >= 0 and X.max() == 1
    first = (X[:, 0, 0, 0] * 255).round().long()
    assert [names[code] for code in first] == [dataset.classes[t] for t in targets]


def test_without_classes_there_are_images_alone(tmp_path):
    write_release(tmp_path / "r", np.linspace(0, 1, 256).reshape(4, 1, 8, 8), allow="a test")
    assert as_torch_dataset(tmp_path / "r")[0].shape == (1, 8, 8)
    with pytest.raises(FileNotFoundError, match="expected the folder of a release"):
        as_torch_dataset(tmp_path)
