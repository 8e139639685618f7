"""Spectra as targets: loss, scaling, first weights, closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from atomlens.datasets.base import Dataset, Sample
from atomlens.errors import DatasetError, SettingsError
from atomlens.models import MODELS, make_model
from atomlens.models.base import ModelOutput
from atomlens.predictor.trust.doubts import spectra_below_zero
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula
from atomlens.targets import Target, output_slices, value_slices
from atomlens.targets.scaling import TargetScaling
from atomlens.training import TrainingProgress, TrainSettings, train
from atomlens.training.job import begin_alike
from atomlens.training.losses import TargetLoss
from atomlens.training.remarks import _tell_signs
from spectrum_makers import oscillators

NAN = math.nan
SPECTRUM = Target(name="eps", grid=(1.0, 2.0, 3.0))
NUMBER = Target(name="gap")
CLASSES = Target(name="phase", kind="classification", classes=("a", "b", "c"))
SMALL = {"n_features": 8, "n_hidden": (8, 8, 8, 8)}


def loss(targets: tuple[Target, ...], values: list[list[float]], true: list[list[float]]) -> float:
    given = ModelOutput(values=torch.tensor(values), node_attention=torch.ones(len(values)))
    return float(TargetLoss(targets, TrainSettings(loss="mae"))(given, torch.tensor(true)))


def test_a_grid_that_does_not_ascend_or_belongs_to_classes_is_refused() -> None:
    for grid in ((1.0,), (1.0, 1.0), (2.0, 1.0), (0.0, math.inf)):
        with pytest.raises(SettingsError, match="ascending"):
            Target(name="eps", grid=grid)
    with pytest.raises(SettingsError, match="classes have no grid"):
        Target(name="phase", kind="classification", classes=("a", "b"), grid=(1.0, 2.0))


def test_values_and_outputs_are_counted_apart_for_classes_only() -> None:
    targets = (NUMBER, CLASSES, SPECTRUM)
    assert output_slices(targets) == (slice(0, 1), slice(1, 4), slice(4, 7))
    assert value_slices(targets) == (slice(0, 1), slice(1, 2), slice(2, 5))


def test_a_number_is_written_as_it_always_was() -> None:
    assert "grid" not in NUMBER.to_dict()
    for target in (NUMBER, CLASSES, SPECTRUM):
        assert Target.from_dict(target.to_dict()) == target


def test_the_points_of_a_spectrum_weigh_together_as_much_as_a_number() -> None:
    """Error 1 of the number, 3 at each point: (1 + 3) / 2 and not (1 + 3·3) / 4."""
    found = loss((NUMBER, SPECTRUM), [[1.0, 3, 3, 3]], [[0.0, 0, 0, 0]])
    assert found == pytest.approx(2.0)


def test_unknown_points_are_left_out_of_the_mean_over_materials_and_points() -> None:
    found = loss((SPECTRUM,), [[2.0, 9, 4], [6, 9, 9]], [[0.0, NAN, 0], [0, NAN, NAN]])
    assert found == pytest.approx((2 + 4 + 6) / 3)


def test_a_spectrum_beside_classes_is_found_at_its_outputs() -> None:
    found = loss((CLASSES, SPECTRUM), [[50.0, 0, 0, 1, 2, 3]], [[0.0, 1, 2, 9]])
    assert found == pytest.approx((0 + 6 / 3) / 2)


def scaling_of(values: np.ndarray, *targets: Target, **options: str) -> TargetScaling:
    structures = StructureArrays.from_atoms([from_formula(f) for f in ("MgO", "CaO")])
    return TargetScaling.fit(targets, values, structures, **options)


def test_a_spectrum_has_one_mean_and_one_spread() -> None:
    values = np.array([[0.0, 1, 2, NAN], [0.0, 3, 4, 5]])
    scaling = scaling_of(values, NUMBER, SPECTRUM)
    assert scaling.means[1] == pytest.approx(3.0)
    assert scaling.stds[1] == pytest.approx(math.sqrt(2))
    assert TargetScaling.from_dict(scaling.to_dict()) == scaling


def test_scaled_values_are_the_values_again_after_decoding() -> None:
    data = oscillators()
    scaling = TargetScaling.fit(data.targets, data.values, data.structures)
    encoded = scaling.encode(data.values, data.structures)
    np.testing.assert_allclose(scaling.decode(encoded, data.structures), data.values, atol=1e-4)


def test_a_point_without_any_known_value_is_an_error_that_names_it() -> None:
    values = np.array([[1.0, NAN, 2], [1, NAN, 3]])
    with pytest.raises(DatasetError, match=r"1 of the 3 points of its grid \(between 2 and 2 eV\)"):
        scaling_of(values, SPECTRUM)


def test_a_spectrum_has_no_element_reference() -> None:
    with pytest.raises(SettingsError, match="reference=none"):
        scaling_of(np.ones((2, 3)), SPECTRUM, reference="elements")


def test_samples_with_arrays_are_refused_as_they_say_no_grid() -> None:
    samples = [
        Sample(atoms=from_formula(f), targets={"eps": np.ones(3)}, identifier=f)
        for f in ("MgO", "CaO")
    ]
    with pytest.raises(DatasetError, match="MgO: 'eps' has several values"):
        train(samples, model="mean", target="eps")


def test_finder_for_3000_points_has_the_published_number_of_weights() -> None:
    """13,795,626 in the authors' code for dielectric functions, with 200 numbers an element."""
    model = make_model("finder", n_outputs=3000, element_vectors="mat2vec")
    assert model.n_parameters == 13_795_626


def test_all_points_of_a_spectrum_begin_alike_and_numbers_as_before() -> None:
    torch.manual_seed(0)
    model = make_model("finder", n_outputs=4, predict_scale=True, **SMALL)
    before = model.output.weight.clone()
    begin_alike(model, (NUMBER, SPECTRUM))
    after = model.output.weight
    assert torch.equal(after[[0, 4]], before[[0, 4]])
    assert torch.equal(after[1:4], before[1].expand(3, -1))
    assert torch.equal(after[5:8], before[5].expand(3, -1))


@pytest.mark.parametrize("model", ["ridge", "rf-magpie"])
def test_closed_forms_learn_the_points_of_a_spectrum_as_they_learn_numbers(model: str) -> None:
    """The ridge solves all points at once; a shared forest is one for all points."""
    if model == "rf-magpie":
        pytest.importorskip("sklearn")
    data = oscillators().select_targets(["eps_re"])
    settings = {"n_trees": 10} if model == "rf-magpie" else {}
    trained = train(data, model=model, split="random:.7/.2/.1", model_settings=settings)
    figures = trained.metrics["test"]["targets"]["eps_re"]
    assert figures["mae"] < 0.8 * figures["mad"]
    if model == "ridge":
        one = replace(data, targets=(Target(name="one"),), values=data.values[:, [11]])
        single = train(one, model=model, split="random:.7/.2/.1").predict("MgO")
        assert single.values[0, 0] == pytest.approx(trained.predict("MgO").values[0, 11], abs=1e-3)


def test_a_forest_that_would_fill_the_memory_is_refused() -> None:
    pytest.importorskip("sklearn")
    data = oscillators().select_targets(["eps_re"])
    huge = {"n_trees": 2_000_000}
    with pytest.raises(SettingsError, match="choose a coarser grid"):
        train(data, model="rf-magpie", split="random:.7/.2/.1", model_settings=huge)


def test_a_forest_of_spectra_needs_some_without_a_gap() -> None:
    pytest.importorskip("sklearn")
    data = oscillators().select_targets(["eps_re"])
    data.values[::2, 0] = NAN
    data.values[1::2, 1] = NAN
    with pytest.raises(SettingsError, match="without gaps only"):
        train(data, model="rf-magpie", split="random:.7/.2/.1")


class Told(TrainingProgress):
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.warnings: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def losses(sign: float, **changes: object) -> Dataset:
    data = oscillators().select_targets(["eps_im"])
    target = replace(data.targets[0], **{"nonnegative": False, **changes})
    return replace(data, targets=(target,), values=sign * np.abs(data.values))


def test_losses_of_the_other_sign_and_those_that_could_be_kept_above_zero_are_told() -> None:
    for data, n_warnings, n_messages in (
        (losses(-1), 1, 0),
        (losses(1), 0, 1),
        (losses(-1, name="shift"), 0, 0),
        (losses(1, name="shift"), 0, 0),
        (losses(1, nonnegative=True), 0, 0),
    ):
        told = Told()
        _tell_signs(data, MODELS["finder"], told)
        assert (len(told.warnings), len(told.messages)) == (n_warnings, n_messages)
    told = Told()
    _tell_signs(losses(-1), MODELS["finder"], told)
    assert "change the sign of the column" in told.warnings[0]


def test_a_spectrum_below_zero_where_no_training_value_was_is_told() -> None:
    grid = Target(name="eps_im", grid=(1.0, 2.0, 3.0))
    values = np.array([[1.0, 2, 3], [-0.05, 2, 3], [1, -2.5, -0.5]])
    (said,) = spectra_below_zero(values, (grid,), [0, 0, 0], [0.001, 2, 4])
    assert said[:2] == ("", "")
    assert said[2].startswith("its eps_im is below 0 at 2 of 3 points (-2.5 at 2 eV)")
    (free,) = spectra_below_zero(values, (replace(grid),), [-1, 0, 0], [1, 2, 3]) or ((),)
    assert not any(free)
    assert spectra_below_zero(values, (grid,), (), ()) == []
