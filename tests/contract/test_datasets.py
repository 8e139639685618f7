"""What every data set in ``DATASETS`` owes its callers."""

from dataclasses import fields, replace
from importlib.util import find_spec

import numpy as np
import pytest

from atomlens.datasets import DATASETS, Dataset, load_dataset, make_split
from atomlens.errors import DatasetError, SettingsError
from atomlens.testing import DATASET_CHECKS
from atomlens.testing.datasets import SOURCE_CHECKS
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
    assert "seed" in {f.name for f in fields(source)}


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
def test_every_source_keeps_what_it_promises(check, name):
    check(replace(DATASETS[name](), seed=1), LIMIT)


@pytest.mark.parametrize("check", DATASET_CHECKS, ids=lambda check: check.__name__)
def test_every_data_set_keeps_what_it_promises(check, data):
    check(data)


def test_it_has_as_many_samples_as_asked_for(data):
    assert len(data) == LIMIT
    assert np.isfinite(data.values).all()


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


@pytest.mark.parametrize("name", ["fullerene-md"], indirect=True)
def test_one_formula_cannot_be_split_by_composition(data):
    with pytest.raises(SettingsError, match="1 different formulas"):
        make_split("composition:.5/.2/.3", data, seed=0)
