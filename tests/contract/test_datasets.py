"""What every data set in ``DATASETS`` owes its callers."""

from dataclasses import fields, is_dataclass
from importlib.util import find_spec

import numpy as np
import pytest

from atomlens.datasets import (
    DATASETS,
    Dataset,
    load_dataset,
    load_packed,
    make_split,
    save_packed,
)
from atomlens.errors import DatasetError, SettingsError
from atomlens.targets import value_slices
from atomlens.targets.scaling import TargetScaling
from small_deposits import DEPOSITED, put
from small_frameworks import SUBSETS, put_frameworks
from spectrum_makers import SPECTRA, put_spectra

LIMIT = 25


@pytest.fixture(scope="module", params=sorted(DATASETS))
def name(request, tmp_path_factory):
    if request.param == "qm9" and find_spec("qm9pack") is None:
        pytest.skip("qm9pack is not installed")
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.getbasetemp() / "cache"
        patch.setenv("ATOMLENS_CACHE", str(cache))
        if request.param in DEPOSITED:
            put(request.param, cache / "downloads" / request.param)
        if request.param in SPECTRA:
            put_spectra(request.param, cache / "downloads" / request.param)
        if request.param in SUBSETS:
            patch.syspath_prepend(str(put_frameworks(tmp_path_factory.mktemp("site"))))
        yield request.param


@pytest.fixture(scope="module")
def data(name) -> Dataset:
    return load_dataset(name, limit=LIMIT, seed=1)


def test_the_table_and_the_class_agree_on_the_name(name):
    source = DATASETS[name]
    assert source.name == name
    assert source.summary
    assert is_dataclass(source)
    assert source.__dataclass_params__.frozen
    assert "seed" in {f.name for f in fields(source)}


def test_all_announced_targets_are_there_with_values(name, data):
    assert data.targets == DATASETS[name].available_targets
    assert data.values.shape == (LIMIT, sum(t.n_values for t in data.targets))
    assert np.isfinite(data.values).all()


def test_one_target_alone_has_the_same_values(name, data):
    last = data.targets[-1]
    alone = load_dataset(name, last.name, limit=LIMIT, seed=1)
    assert alone.targets == (last,)
    assert np.array_equal(alone.values, data.values[:, value_slices(data.targets)[-1]])


def test_every_structure_is_usable_and_has_a_name_of_its_own(data):
    from atomlens.structures.checks import check_atoms

    assert len(set(data.structures.names)) == len(data)
    for sample in data:
        check_atoms(sample.atoms)
        assert set(sample.targets) == {t.name for t in data.targets}


def test_one_seed_gives_one_data_set(name, data):
    again = load_dataset(name, limit=LIMIT, seed=1)
    assert again.structures.fingerprint() == data.structures.fingerprint()
    assert again.structures.names == data.structures.names
    assert np.array_equal(again.values, data.values)
    other = load_dataset(name, limit=LIMIT, seed=2)
    assert other.structures.fingerprint() != data.structures.fingerprint()


def test_a_target_that_does_not_exist_is_a_data_set_error(name):
    with pytest.raises(DatasetError, match=name):
        load_dataset(name, "no such target", limit=LIMIT)


def test_node_labels_fit_the_atoms(data):
    if data.node_labels is None:
        pytest.skip("its answer rests on no known atoms")
    assert [len(labels) for labels in data.node_labels] == data.structures.n_atoms.tolist()
    assert all(set(labels.tolist()) <= {0.0, 1.0} for labels in data.node_labels)
    assert all(labels.any() for labels in data.node_labels)


@pytest.mark.parametrize(
    "spec", ["random:.6/.2/.2", "stratified:10/5/rest", "composition:.5/.2/.3"]
)
def test_it_can_be_split(data, spec):
    if spec.startswith("composition") and set(data.structures.atomic_numbers.tolist()) == {6}:
        with pytest.raises(SettingsError, match="1 different formulas"):
            make_split(spec, data, seed=0)
        return
    split = make_split(spec, data, seed=0)
    together = np.concatenate([split.train, split.validation, split.test])
    assert np.array_equal(np.sort(together), np.arange(LIMIT))


def test_its_values_can_be_scaled_and_back(data):
    reference = "none" if data.targets[0].is_spectrum else "elements"
    scaling = TargetScaling.fit(data.targets, data.values, data.structures, reference=reference)
    encoded = scaling.encode(data.values, data.structures)
    assert np.isfinite(encoded).all()
    back = scaling.decode(encoded, data.structures)
    assert back == pytest.approx(data.values, rel=1e-4, abs=1e-4)


def test_it_can_be_packed(data, tmp_path):
    again = load_packed(save_packed(data, tmp_path / "d.npz", precision="float64"))
    assert again.structures.fingerprint() == data.structures.fingerprint()
    assert np.array_equal(again.values, data.values)
