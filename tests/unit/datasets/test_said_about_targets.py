"""What a user says about the targets of a data set known by name."""

import pytest

from atomlens.datasets import DATASETS, load_dataset
from atomlens.errors import DatasetError, SettingsError

TARGET = DATASETS["toy"].available_targets[0].name


def test_a_target_can_be_said_to_grow_with_the_structure() -> None:
    plain = load_dataset("toy", TARGET, limit=5).targets[0]
    said = load_dataset("toy", TARGET, limit=5, extensive=(TARGET,)).targets[0]
    assert not plain.extensive
    assert said.extensive
    assert (said.name, said.unit) == (plain.name, plain.unit)


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(DatasetError, match="nothing-like-it"):
        load_dataset("toy", TARGET, limit=5, extensive=("nothing-like-it",))


def test_other_options_of_files_are_still_refused() -> None:
    with pytest.raises(SettingsError, match="structure_column"):
        load_dataset("toy", TARGET, limit=5, structure_column="x")
