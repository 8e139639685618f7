"""The screening: who judges what, how members agree, known spectra, figures, the claim."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from atomlens.datasets.base import Dataset
from atomlens.errors import StudyError
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor, TrainingRecord
from atomlens.reports.canvas import new_figure
from atomlens.screening.enz.candidates import read_candidates
from atomlens.screening.enz.claim import Screened, papers_list
from atomlens.screening.enz.figure import pair_layout, widen_small
from atomlens.screening.enz.numbers import Crossing, choose_crossing
from atomlens.screening.enz.study import Enz, EnzSettings
from atomlens.studies import StudyInput, StudyResult
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling

GRID = np.linspace(0.2, 12.6, 125)
SYMBOLS = {"H": 1, "O": 8, "Na": 11, "Ag": 47, "Au": 79}
Line = tuple[float, float]
"""Where the real part falls through zero with slope -1 (eV), and the imaginary part."""


def target(name: str, **changes: object) -> Target:
    return Target(**({"name": name, "grid": tuple(GRID.tolist())} | changes))


def predictor(
    *members: Mapping[str, Line],
    names: tuple[str, ...] = ("eps_re", "eps_im"),
    train: tuple[str, ...] = ("H2O",),
    **changes: object,
) -> Predictor:
    """An ensemble whose members predict a line for each pure element, their sum for others."""
    targets = tuple(target(name, **changes) for name in names)
    networks = []
    for lines in members:
        network = make_model("ridge", n_outputs=len(names) * len(GRID))
        weight, bias = network.linear.weight, network.linear.bias
        torch.nn.init.zeros_(weight)
        torch.nn.init.zeros_(bias)
        for symbol, (zero, loss) in lines.items():
            parts = {"eps_re": zero - GRID, "eps_im": np.full(len(GRID), loss)}
            column = np.concatenate([parts[name] for name in names])
            weight.data[:, SYMBOLS[symbol]] = torch.from_numpy(column)
        networks.append(network)
    scaling = TargetScaling(
        targets=targets,
        means=(0.0,) * len(names),
        stds=(1.0,) * len(names),
        references=({},) * len(names),
    )
    return Predictor(
        model_name="ridge",
        models=tuple(networks),
        builder=make_builder("formula", reduce=True),
        scaling=scaling,
        calibration=Calibration.nothing(len(names) * len(GRID)),
        record=TrainingRecord(data="made", split={"train": train}),
    )


SURE = predictor({"Ag": (3.0, 0.5), "Au": (2.0, 5.0)}, {"Ag": (3.4, 0.7), "Au": (2.0, 1.0)})


def run(
    *formulas: str,
    models: tuple[Predictor, ...] = (SURE,),
    shuffled: tuple[Predictor, ...] = (),
    data: Dataset | None = None,
    use_known: bool = False,
    **settings: object,
) -> StudyResult:
    given = StudyInput(
        models=models,
        data=read_candidates(formulas) if data is None else data,
        shuffled=shuffled,
        use_known=use_known,
    )
    return Enz(EnzSettings(**settings)).run(given)


def rows(result: StudyResult) -> dict[str, dict[str, object]]:
    return {str(row["formula"]): dict(row) for row in result.tables["candidates"]}


def test_a_candidate_has_mean_and_spread_of_the_members() -> None:
    row = rows(run("Ag"))["Ag"]
    assert row["crossover [eV]"] == pytest.approx(3.2, abs=1e-5)
    assert row["crossover_std [eV]"] == pytest.approx(0.4 / np.sqrt(2), abs=1e-5)
    assert (row["loss"], row["loss_std"]) == (
        pytest.approx(0.6),
        pytest.approx(0.2 / np.sqrt(2), abs=1e-5),
    )
    assert (row["passes"], row["members"], row["range"]) == (1.0, 2, "ultraviolet")


def test_the_window_is_the_mean_of_those_of_the_members() -> None:
    row = rows(run("Ag"))["Ag"]
    edges = [row[f"window_{end} [eV]"] for end in ("low", "high", "width")]
    assert_allclose(edges, [2.2, 4.2, 2.0], atol=1e-5)
    in_nm = [1239.841984 / (zero - 1) - 1239.841984 / (zero + 1) for zero in (3.0, 3.4)]
    assert row["window_width [nm]"] == pytest.approx(np.mean(in_nm), rel=1e-5)
    assert row["window_cut"] == 0


def test_each_member_judges_by_itself() -> None:
    result = run("Au", "Ag")
    assert (
        rows(result)["Au"]["passes"] == 0.5
    )  # a loss of 5 and one of 1; their mean passes nothing
    assert list(rows(result)) == ["Ag", "Au"]
    assert result.effect("candidates in 50% of the members").value == 2
    assert result.effect("candidates in every member").value == 1


def test_a_formula_that_does_not_cross_is_ranked_last_with_empty_numbers() -> None:
    result = run("H", "Au", "Ag", use_known=True)
    assert list(rows(result)) == ["Ag", "Au", "H"]
    assert np.isnan(rows(result)["H"]["crossover [eV]"])
    assert rows(result)["H"]["window_cut"] is None


def test_models_of_each_part_judge_together() -> None:
    lines = {"Ag": (3.0, 0.5)}
    parts = predictor(lines, names=("eps_im",)), predictor(lines, names=("eps_re",))
    together = predictor(lines)
    found = [str(rows(run("Ag", models=models))) for models in (parts, (together,))]
    assert found[0] == found[1]


def test_several_models_are_one_larger_ensemble() -> None:
    first, second = (predictor({"Ag": (zero, 0.5)}) for zero in (3.0, 3.4))
    assert rows(run("Ag", models=(first, second)))["Ag"]["members"] == 2


def test_a_model_does_not_judge_what_it_was_trained_on() -> None:
    knows = predictor({"Ag": (9.0, 0.5)}, train=("Ag2", "Au"))
    result = run("Ag", "Au", models=(SURE, knows))
    assert rows(result)["Ag"]["members"] == 2
    alone = run("Ag", "Na", models=(knows,))
    assert list(rows(alone)) == ["Na"]
    assert alone.counts["left out, the models were trained on them"] == 1


def test_samples_that_are_named_otherwise_are_told_by_their_name() -> None:
    data = known(("Ag", 3.0), ("Au", 2.0))
    data = replace(data, structures=replace(data.structures, names=("Ag/Babar", "Au/Babar")))
    knows = predictor({"Au": (2.0, 0.5)}, train=("Ag/Babar",))
    result = run(models=(knows,), data=data)
    assert list(rows(result)) == ["Au"]
    assert rows(result)["Au"]["name"] == "Au/Babar"
    assert not any("exclude" in note for note in result.notes)


def test_all_keeps_what_the_models_were_trained_on() -> None:
    knows = predictor({"Ag": (9.0, 0.5)}, train=("Ag",))
    assert list(rows(run("Ag", models=(knows,), use_known=True))) == ["Ag"]


def test_nothing_left_to_judge_is_refused() -> None:
    with pytest.raises(StudyError, match="none of the 1 formulas is left"):
        run("H2O")


def test_names_that_are_no_formulas_are_said(tmp_path: Path) -> None:
    unnamed = predictor({"Ag": (3.0, 0.5)}, train=("mp-1", "mp-2"))
    assert any("exclude=FILE" in note for note in run("Ag", models=(unnamed,)).notes)
    (tmp_path / "known.txt").write_text("Au2\n")
    result = run("Ag", "Au", models=(unnamed,), exclude=str(tmp_path / "known.txt"))
    assert list(rows(result)) == ["Ag"]
    assert result.counts["left out, in the list to exclude"] == 1


def test_of_one_formula_the_most_stable_entry_is_judged(tmp_path: Path) -> None:
    table = tmp_path / "hull.csv"
    table.write_text("formula,e_above_hull [meV/atom]\nAg2,30\nAg,10\nAu,40\nNaAg,\n")
    result = run(str(table))
    assert result.counts["the same formula again"] == 1
    assert result.counts["without energy above the hull"] == 1
    found = rows(result)
    assert found["Ag"]["e_above_hull [eV/atom]"] == pytest.approx(0.01)
    assert (found["Ag"]["passes"], found["Au"]["passes"]) == (1.0, 0.0)
    assert found["NaAg"]["passes"] == 1.0


def test_elements_that_the_training_had_not_are_warned_of() -> None:
    knows = replace(SURE, elements=(1, 8, 47))
    assert "Au" in str(rows(run("Au", models=(knows,)))["Au"]["warning"])


def test_a_formula_that_a_model_cannot_read_is_named_and_the_rest_goes_on() -> None:
    result = run("Lr", "Ag")
    assert [f.name for f in result.failures] == ["Lr"]
    assert list(rows(result)) == ["Ag"]


def test_pairs_of_elements_are_those_of_the_candidates() -> None:
    result = run("AgNa", "AgH", "AuO", "NaO")
    assert result.tables["pairs"] == [
        {"first": "Ag", "second": "H", "n": 1},
        {"first": "Ag", "second": "Na", "n": 1},
        {"first": "Au", "second": "O", "n": 1},
    ]


def test_models_without_a_spectrum_are_refused() -> None:
    with pytest.raises(StudyError, match="a model of gap has neither"):
        run("Ag", models=(predictor({}, names=("eps_re",)), _single()))


def _single() -> Predictor:
    scaling = TargetScaling(
        targets=(Target(name="gap"),), means=(0.0,), stds=(1.0,), references=({},)
    )
    network = make_model("ridge", n_outputs=1)
    return replace(
        predictor({}), models=(network,), scaling=scaling, calibration=Calibration.nothing(1)
    )


def test_one_part_alone_is_refused() -> None:
    with pytest.raises(StudyError, match="1 model of 'eps_re' and 0 of 'eps_im'"):
        run("Ag", models=(predictor({}, names=("eps_re",)),))


def test_grids_that_are_not_in_electronvolt_are_refused() -> None:
    with pytest.raises(StudyError, match="photon energies in eV"):
        run("Ag", models=(predictor({}, grid_unit="nm"),))


def test_different_grids_are_refused() -> None:
    other = predictor({}, grid=tuple((GRID + 1).tolist()))
    with pytest.raises(StudyError, match="different grids"):
        run("Ag", models=(SURE, other))


def test_ensembles_of_different_size_do_not_pair() -> None:
    real = predictor({}, {}, names=("eps_re",))
    with pytest.raises(StudyError, match="2 members and that of 'eps_im' 1"):
        run("Ag", models=(real, predictor({}, names=("eps_im",))))


@pytest.mark.parametrize("settings", [{"limit": 0.0}, {"n_drawn": 0}, {"lowest": 13.0}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(StudyError, match=next(iter(settings))):
        Enz(EnzSettings(**settings))


def known(*lines: tuple[str, float | None]) -> Dataset:
    """Formulas with known spectra that fall through zero somewhere, or stay at one."""
    data = read_candidates([name for name, _ in lines])
    real = np.stack([np.ones(len(GRID)) if zero is None else zero - GRID for _, zero in lines])
    values = np.concatenate([real, np.ones_like(real)], axis=1)
    return replace(data, targets=(target("eps_re"), target("eps_im")), values=values)


CHECKED = predictor(
    {"Ag": (3.0, 0.5), "Au": (2.0, 0.5), "Na": (4.0, 0.5)},
    {"Ag": (3.2, 0.5), "Au": (2.8, 0.5), "Na": (4.2, 0.5)},
)


def test_predictions_stand_beside_known_spectra() -> None:
    data = known(("Ag", 3.0), ("Au", 2.0), ("Na", None), ("H", 5.0), ("O", None))
    result = run(models=(CHECKED,), data=data)
    assert result.effect("crossings that are predicted").value == pytest.approx(2 / 3)
    assert result.effect("crossings that are invented").value == pytest.approx(1 / 2)
    error = result.effect("error of the crossover")
    assert (error.value, error.n) == (pytest.approx(0.25, abs=1e-5), 2)
    told = result.effect("materials that cross told apart")
    assert (told.value, told.n) == (pytest.approx(3.5 / 6), 5)  # of 6 pairs 2 in order, 3 tie
    counts = {(r["crosses"], r["predicted"]): r["n"] for r in result.tables["confusion"]}
    assert counts == {("yes", "yes"): 2, ("yes", "no"): 1, ("no", "yes"): 1, ("no", "no"): 1}


def test_candidates_are_compared_with_what_truly_passes() -> None:
    data = known(("Ag", 3.0), ("Au", 12.5), ("Na", None), ("H", 5.0))
    result = run(models=(CHECKED,), data=data)  # Ag, Au and Na are candidates; Ag and H pass
    right, found = (
        result.effect(n) for n in ("candidates that are right", "low-loss zeros that are found")
    )
    assert (right.value, right.n) == (pytest.approx(1 / 3), 3)
    assert (found.value, found.n) == (0.5, 2)


def test_the_mean_of_the_others_is_a_control_of_the_error() -> None:
    result = run(models=(CHECKED,), data=known(("Ag", 3.0), ("Au", 2.0)))
    assert result.effect("error of the crossover").controls == {"mean of the others": 1.0}


def test_spread_that_grows_with_the_error_is_seen() -> None:
    data = known(("Ag", 3.0), ("Au", 2.0), ("AgH", 3.1))
    effect = run(models=(CHECKED,), data=data).effect("Spearman of spread and error")
    assert (effect.value, effect.n) == (pytest.approx(0.866, abs=1e-3), 3)


def test_no_crossing_is_expected_where_the_spectrum_is_unknown() -> None:
    data = known(("Ag", 3.0), ("Au", 2.0))
    real = data.values[:, : len(GRID)]
    real[0, GRID < 3.5] = np.nan  # what is left of it does not cross
    result = run(models=(CHECKED,), data=data)
    assert result.effect("crossings that are invented").value == 0
    assert result.effect("crossings that are predicted").n == 1
    assert rows(result)["Ag"]["crosses"] == 1


def test_held_values_are_no_known_spectrum() -> None:
    data = known(("Ag", 3.0), ("Au", 2.0))
    held = np.zeros(data.values.shape, dtype=np.bool_)
    held[0, : len(GRID)] = GRID > 2.5  # Ag ends before its zero
    result = run(models=(CHECKED,), data=replace(data, held=held))
    assert result.effect("crossings that are predicted").n == 1


def test_models_of_shuffled_labels_stand_beside() -> None:
    noise = predictor({"Ag": (1.0, 9.0)})
    noise = replace(noise, record=replace(noise.record, settings={"shuffle_targets": True}))
    result = run(models=(CHECKED,), shuffled=(noise,), data=known(("Ag", 3.0), ("H", None)))
    assert result.effect("candidates in every member").controls == {"shuffled labels": 0.0}
    error = result.effect("error of the crossover")
    assert error.controls["shuffled labels"] == pytest.approx(2.0, abs=1e-5)
    networks = [row["network"] for row in result.tables["confusion"]]
    assert networks == ["trained"] * 4 + ["shuffled labels"] * 4


def test_a_control_that_was_not_shuffled_is_refused() -> None:
    with pytest.raises(StudyError, match="shuffle_targets=true"):
        run("Ag", shuffled=(SURE,))


def test_figures_and_tables_are_written(tmp_path: Path) -> None:
    data = known(("Ag", 3.0), ("AuNa", 2.0), ("Na", None), ("AgO", 5.0), ("O", None))
    study = Enz(EnzSettings(least_pairs=1))
    result = study.run(StudyInput(models=(CHECKED,), data=data))
    written = {p.name for p in (*result.save(tmp_path), *study.draw(result, tmp_path))}
    assert written == {
        *("study.json", "candidates.csv", "pairs.csv", "spectra.csv", "check.csv"),
        *("confusion.csv", "dispersion.png", "pairs.png", "check.png"),
        "loss-against-crossover.png",
    }
    assert all((tmp_path / name).stat().st_size > 10_000 for name in written if ".png" in name)


def test_without_frequent_pairs_there_is_no_network(tmp_path: Path) -> None:
    study = Enz()
    result = study.run(StudyInput(models=(SURE,), data=read_candidates(["AgH"])))
    names = [p.name for p in study.draw(result, tmp_path)]
    assert names == ["dispersion.png", "loss-against-crossover.png"]


def test_the_losses_stand_on_plain_numbers(tmp_path: Path) -> None:
    losses = np.array([-0.2, 0.3, 1.5, 40.0])
    with new_figure(tmp_path / "axis.png", (3, 3)) as figure:
        axes = figure.add_subplot()
        axes.scatter(losses, losses)
        widen_small(axes, losses)
        figure.canvas.draw()
        low, high = axes.get_ylim()
        shown = [
            label.get_text()
            for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
            if low <= place <= high
        ]
    assert shown == ["0", "0.5", "1", "2", "5", "10", "20"]


def test_frequent_pairs_stand_nearer() -> None:
    pairs = {("Ca", "O"): 40, ("F", "Fe"): 40, ("Fe", "O"): 1, ("Ca", "F"): 1}
    place = dict(
        zip(("Ca", "F", "Fe", "O"), pair_layout(("Ca", "F", "Fe", "O"), pairs), strict=True)
    )
    lengths = {pair: np.linalg.norm(place[pair[0]] - place[pair[1]]) for pair in pairs}
    assert max(lengths["Ca", "O"], lengths["F", "Fe"]) < min(lengths["Fe", "O"], lengths["Ca", "F"])


def screened(**changes: object) -> Screened:
    found = {
        "data": ("jarvis-optical",),
        "lowest": 0.0,
        "highest": 30.0,
        "n_judged": 60_000,
        "n_candidates": 353,
        "n_elements": 80,
        "n_with_v_and_o": 49,
        "ranges": {
            "Mg2V2O7": "visible",
            "Ca2V2O7": "visible",
            "CaV2P2O9": "near infrared",
            "NaCr2FeO8": "near infrared",
        },
        "of_members": (1.0, 1.0, 1.0, 1.0),
    }
    return Screened(**(found | changes))


def test_the_paper_s_own_numbers_would_hold() -> None:
    nothing = screened(of_members=(0.0, 0.25, 0.0), ranges={})
    claim = papers_list(screened(), [nothing])
    assert (claim.identifier, claim.verdict) == ("F10", "holds")
    assert "353 candidates" in claim.evidence
    assert "0.59% of what was judged" in claim.chance


def test_a_list_that_models_of_shuffled_labels_find_as_well_shows_nothing() -> None:
    assert papers_list(screened(), [screened()]).verdict == "as much in controls"
    assert papers_list(screened()).verdict == "not tested"
    assert papers_list(screened(of_members=(1.0,)), [screened()]).verdict == "as much in controls"


@pytest.mark.parametrize(
    ("changes", "verdict", "word"),
    [
        ({"n_with_v_and_o": 10}, "fails", "10 with V and O"),
        ({"ranges": screened().ranges | {"NaCr2FeO8": ""}}, "fails", "NaCr2FeO8: no"),
        ({"ranges": screened().ranges | {"CaV2P2O9": "visible"}}, "fails", "CaV2P2O9: visible"),
        ({"n_candidates": 0, "n_with_v_and_o": 0}, "fails", "0 candidates"),
        ({"data": ("optical-nk",)}, "not tested", "not on JARVIS"),
        ({"highest": 6.0}, "not tested", "6 eV"),
        ({"ranges": {}}, "not tested", "Mg2V2O7, Ca2V2O7"),
    ],
)
def test_the_claim_fails_or_is_not_tested(
    changes: dict[str, object], verdict: str, word: str
) -> None:
    claim = papers_list(screened(**changes))
    assert claim.verdict == verdict
    assert word in claim.evidence


def test_a_compound_of_the_paper_is_found_under_another_spelling() -> None:
    result = run("V2Mg2O7", "Ag")
    assert "Mg2V2O7: no" in result.claims[0].evidence
    assert result.claims[0].verdict == "not tested"


def test_an_imaginary_part_below_zero_is_no_low_loss() -> None:
    gains = predictor({"Ag": (3.0, -1.0), "Au": (2.0, 1.5), "Na": (2.5, -0.01)})
    result = run("Ag", "Au", "Na", models=(gains,))
    found = rows(result)
    assert [found[f]["passes"] for f in ("Ag", "Au", "Na")] == [0, 1, 1]
    assert list(found) == ["Na", "Au", "Ag"]
    assert "below zero at 1 of 1 crossing that" in str(found["Ag"]["warning"])
    assert found["Na"]["warning"] == ""
    assert any("For 1 of 3 formulas a member predicts" in note for note in result.notes)
    assert not any("a member predicts" in note for note in run("Ag").notes)


def test_of_several_crossings_the_smallest_loss_of_either_sign_is_the_lowest() -> None:
    crossings = [Crossing(energy=e, direction="down", loss=x) for e, x in ((2, -3.0), (3, 0.2))]
    chosen = choose_crossing(crossings, pick="lowest-loss")
    assert chosen is not None
    assert chosen.energy == 3


def test_known_spectra_of_a_table_stand_beside_the_predictions(tmp_path: Path) -> None:
    rows = [
        {
            "formula": formula,
            "energy": GRID.tolist(),
            "eps_re": (zero - GRID).tolist(),
            "eps_im": [0.5] * len(GRID),
            "e_above_hull": 0.01,
        }
        for formula, zero in (("Ag", 3.3), ("Au", 2.2))
    ]
    path = tmp_path / "known.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = Enz(EnzSettings()).read([str(path)])
    assert data is not None
    result = run(data=data)
    truth = {row["formula"]: row["true [eV]"] for row in result.tables["check"]}
    assert truth == {"Ag": pytest.approx(3.3), "Au": pytest.approx(2.2)}
    assert rows_of_hull(result) == {"Ag": 0.01, "Au": 0.01}
    rows[1]["energy"] = (GRID + 0.01).tolist()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.warns(UserWarning, match="judged without their known spectra"):
        data = Enz(EnzSettings()).read([str(path)])
    assert data is not None
    assert "check" not in run(data=data).tables


def rows_of_hull(result: StudyResult) -> dict[str, object]:
    return {f: row["e_above_hull [eV/atom]"] for f, row in rows(result).items()}


def test_the_papers_claim_is_left_out_where_none_of_its_compounds_is_judged() -> None:
    assert run("Ag", "Au").claims == ()
