import json
from dataclasses import replace

import numpy as np
import pytest

from atomlens.datasets import Toy
from atomlens.errors import DatasetError, ModelError, SettingsError
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling, element_fractions

INTENSIVE = Target(name="level")
EXTENSIVE = Target(name="energy", extensive=True)
CLASSES = Target(name="kind", kind="classification", classes=("a", "b", "c"))


@pytest.fixture(scope="module")
def structures() -> StructureArrays:
    return Toy(n=60).load().structures


def values_of(structures: StructureArrays, *targets: Target, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    columns = []
    for target in targets:
        column = generator.normal(-7.0, 2.0, len(structures))
        if target.extensive:
            column = column * structures.n_atoms
        if target.kind == "classification":
            column = generator.integers(0, 3, len(structures)).astype(float)
        columns.append(column)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("reference", ["none", "elements"])
@pytest.mark.parametrize("kind", ["standard", "none"])
@pytest.mark.parametrize("target", [INTENSIVE, EXTENSIVE], ids=lambda t: t.name)
def test_decoding_undoes_encoding(structures, target, kind, reference):
    values = values_of(structures, target)
    scaling = TargetScaling.fit([target], values, structures, reference=reference, kind=kind)
    encoded = scaling.encode(values, structures)
    assert encoded.dtype == np.float32
    assert scaling.decode(encoded, structures) == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize("reference", ["none", "elements"])
def test_encoded_training_values_have_mean_zero_and_spread_one(structures, reference):
    values = values_of(structures, INTENSIVE, EXTENSIVE)
    scaling = TargetScaling.fit([INTENSIVE, EXTENSIVE], values, structures, reference=reference)
    encoded = scaling.encode(values, structures).astype(float)
    assert encoded.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert encoded.std(axis=0) == pytest.approx([1, 1], rel=1e-5)


def test_a_doubled_system_has_the_same_encoded_energy(structures):
    values = values_of(structures, EXTENSIVE)
    scaling = TargetScaling.fit([EXTENSIVE], values, structures, reference="elements")
    n = len(structures)
    doubled = replace(
        structures,
        offsets=structures.offsets * 2,
        atomic_numbers=np.concatenate([np.tile(s.atomic_numbers, 2) for s in structures]),
        positions=np.zeros((2 * structures.offsets[-1], 3)),
    )
    assert len(doubled) == n
    assert scaling.encode(2 * values, doubled) == pytest.approx(
        scaling.encode(values, structures), abs=1e-6
    )


def test_energies_that_are_sums_over_atoms_leave_almost_nothing(structures):
    share = {1: -13.6, 6: -1030.0, 7: -1480.0, 8: -2040.0, 9: -2710.0}
    per_atom = np.array([share[z] for z in structures.atomic_numbers.tolist()])
    energies = np.add.reduceat(per_atom, structures.offsets[:-1])[:, None]
    plain = TargetScaling.fit([EXTENSIVE], energies, structures)
    referred = TargetScaling.fit([EXTENSIVE], energies, structures, reference="elements")
    assert referred.stds[0] < 1e-2 * plain.stds[0]
    assert referred.references[0][8] == pytest.approx(-2040.0, rel=1e-3)


def test_the_element_reference_of_named_targets_only(structures):
    targets = [INTENSIVE, EXTENSIVE]
    values = values_of(structures, *targets)
    scaling = TargetScaling.fit(targets, values, structures, reference="elements:energy")
    whole = TargetScaling.fit(targets, values, structures, reference="elements")
    plain = TargetScaling.fit(targets, values, structures)
    assert scaling.references == ({}, whole.references[1])
    assert scaling.means == (plain.means[0], whole.means[1])
    assert scaling.stds == (plain.stds[0], whole.stds[1])


@pytest.mark.parametrize("name", ["kind", "gap", "nothing"])
def test_a_reference_that_cannot_be_is_refused(structures, name):
    targets = [INTENSIVE, CLASSES, Target(name="gap", nonnegative=True)]
    values = np.abs(values_of(structures, *targets))
    with pytest.raises(SettingsError, match=name):
        TargetScaling.fit(targets, values, structures, reference=f"elements:level,{name}")


def test_an_element_unseen_in_training_counts_like_the_mean(structures):
    values = values_of(structures, INTENSIVE)
    scaling = TargetScaling.fit([INTENSIVE], values, structures, reference="elements")
    gold = replace(
        structures.subset([0]), atomic_numbers=np.full(structures.n_atoms[0], 79, dtype=np.uint8)
    )
    decoded = scaling.decode(np.zeros((1, 1)), gold)
    assert decoded[0, 0] == pytest.approx(values.mean(), abs=1e-2)


def test_only_the_given_rows_decide(structures):
    values = values_of(structures, INTENSIVE)
    part = np.arange(30)
    once = TargetScaling.fit([INTENSIVE], values[part], structures.subset(part))
    changed = values.copy()
    changed[30:] = 1e6
    again = TargetScaling.fit([INTENSIVE], changed[part], structures.subset(part))
    assert once == again


def test_unknown_values_stay_unknown_and_count_for_nothing(structures):
    values = values_of(structures, INTENSIVE)
    holes = values.copy()
    holes[::3] = np.nan
    known = np.isfinite(holes[:, 0])
    scaling = TargetScaling.fit([INTENSIVE], holes, structures, reference="elements")
    alone = TargetScaling.fit(
        [INTENSIVE], values[known], structures.subset(np.flatnonzero(known)), reference="elements"
    )
    assert scaling.means == pytest.approx(alone.means)
    assert scaling.stds == pytest.approx(alone.stds)
    assert np.array_equal(np.isnan(scaling.encode(holes, structures)[:, 0]), ~known)


@pytest.mark.parametrize("reference", ["none", "elements"])
@pytest.mark.parametrize("constant", [0.0, 3.7, -1e4])
def test_a_constant_target_is_divided_by_one(structures, reference, constant):
    values = np.full((len(structures), 1), constant)
    scaling = TargetScaling.fit([INTENSIVE], values, structures, reference=reference)
    assert scaling.stds == (1.0,)
    assert scaling.decode(scaling.encode(values, structures), structures) == pytest.approx(
        values, abs=1e-6
    )


def test_class_numbers_and_logits_pass_untouched(structures):
    targets = (INTENSIVE, CLASSES, EXTENSIVE)
    values = values_of(structures, *targets)
    scaling = TargetScaling.fit(targets, values, structures, reference="elements")
    assert np.array_equal(scaling.encode(values, structures)[:, 1], values[:, 1])
    outputs = np.random.default_rng(0).normal(size=(len(structures), 5))
    decoded = scaling.decode(outputs, structures)
    assert np.array_equal(decoded[:, 1:4], outputs[:, 1:4])
    assert not np.allclose(decoded[:, 0], outputs[:, 0])
    assert not np.allclose(decoded[:, 4], outputs[:, 4])


def test_zero_stays_zero_for_values_that_cannot_be_negative(structures):
    gap = Target(name="gap", nonnegative=True)
    values = np.abs(values_of(structures, gap))
    scaling = TargetScaling.fit([gap], values, structures, reference="elements")
    assert scaling.decode(np.zeros((len(structures), 1)), structures) == pytest.approx(0.0)
    assert scaling.encode(values, structures).std() == pytest.approx(1.0, rel=1e-5)


def test_a_standard_deviation_scales_like_a_difference(structures):
    targets = (INTENSIVE, EXTENSIVE)
    values = values_of(structures, *targets)
    scaling = TargetScaling.fit(targets, values, structures, reference="elements")
    low = np.random.default_rng(1).normal(size=(len(structures), 2))
    std = np.full_like(low, 0.25)
    difference = scaling.decode(low + std, structures) - scaling.decode(low, structures)
    assert scaling.decode_std(std, structures) == pytest.approx(difference, rel=1e-6)


def test_json_keeps_every_bit(structures):
    targets = (INTENSIVE, EXTENSIVE, CLASSES)
    values = values_of(structures, *targets)
    scaling = TargetScaling.fit(targets, values, structures, reference="elements")
    assert TargetScaling.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling


@pytest.mark.parametrize(
    "damage",
    [
        {"means": [1.0]},
        {"stds": [1.0, 0.0]},
        {"means": ["x", 1.0]},
        {"references": None},
        {"targets": [{"name": "a"}]},
        {"means": [float("nan"), 0.0]},
    ],
)
def test_a_damaged_scaling_is_a_model_error(structures, damage):
    values = values_of(structures, INTENSIVE, EXTENSIVE)
    content = TargetScaling.fit([INTENSIVE, EXTENSIVE], values, structures).to_dict()
    with pytest.raises(ModelError, match="scaling"):
        TargetScaling.from_dict(content | damage)


def test_a_target_without_training_values_is_an_error(structures):
    with pytest.raises(DatasetError, match="'level' has no known value"):
        TargetScaling.fit([INTENSIVE], np.full((len(structures), 1), np.nan), structures)


def test_element_fractions_add_up_to_one(structures):
    elements = np.array([1, 6, 7, 8, 9])
    fractions = element_fractions(structures, elements)
    assert fractions.sum(axis=1) == pytest.approx(np.ones(len(structures)))
    counts = structures.element_counts()[:, elements] / structures.n_atoms[:, None]
    assert fractions == pytest.approx(counts)
