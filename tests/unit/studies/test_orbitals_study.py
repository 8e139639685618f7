"""The study ``orbitals`` from molecules to claims, with Hückel's orbitals."""

from dataclasses import replace
from pathlib import Path

import pytest
from ase.build import molecule

from atomlens.errors import StudyError
from atomlens.predictor import TrainingRecord
from atomlens.studies import STUDIES, StudyInput, StudyResult
from atomlens.studies.orbitals.cases import OrbitalsSettings
from atomlens.studies.orbitals.sample import load_sample
from study_makers import dataset, make_predictor

GIVEN = ("C6H6", "butadiene", "CH4")


def given_of(*targets: str, names: tuple[str, ...] = GIVEN) -> StudyInput:
    """Models of some targets, and molecules by their name in ase."""
    molecules = [molecule(name) for name in names]
    for atoms, name in zip(molecules, names, strict=True):
        atoms.info["name"] = name
    return StudyInput(models=tuple(make_predictor(t) for t in targets), data=dataset(*molecules))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> OrbitalsSettings:
    return OrbitalsSettings(method="huckel", folder=str(tmp_path_factory.mktemp("orbitals")))


@pytest.fixture(scope="module")
def result(settings: OrbitalsSettings) -> StudyResult:
    return STUDIES["orbitals"](settings).run(given_of("homo"))


@pytest.fixture(scope="module")
def of_the_sample() -> StudyResult:
    """The molecules that come with atomlens, those of the paper among them."""
    return STUDIES["orbitals"]().run(StudyInput(models=(make_predictor("lumo"),), data=dataset()))


def test_molecules_without_an_orbital_are_named_and_the_rest_is_compared(
    result: StudyResult,
) -> None:
    assert result.n_structures == 2
    assert [f.name for f in result.failures] == ["CH4"]


def test_every_mean_stands_beside_its_controls(result: StudyResult) -> None:
    controls = result.effect("homo: Spearman, all atoms").controls
    assert set(controls) == {
        "untrained",
        "element mean",
        "element and neighbours",
        "the other orbital",
    }


def test_the_advantage_is_the_difference_to_the_control(result: StudyResult) -> None:
    mean = result.effect("homo: Spearman, heavy atoms")
    above = result.effect("homo: Spearman above untrained")
    assert mean.n == above.n == 1  # the carbons of benzene are equal and cannot be ranked
    assert above.value == pytest.approx(mean.value - mean.controls["untrained"])


def test_the_base_rate_of_the_criterion_counts_molecules(of_the_sample: StudyResult) -> None:
    values = [
        float(str(row["spearman_heavy"]))
        for row in of_the_sample.tables["molecules"]
        if row["set"] == "sample" and row["score"] == "attention"
    ]
    finite = [v for v in values if v == v]
    rate = of_the_sample.effect("lumo: molecules with Spearman > 0.6")
    assert rate.n == len(finite)
    assert rate.value == pytest.approx(sum(v > 0.6 for v in finite) / len(finite))


def test_the_papers_molecules_are_judged_where_the_model_is_of_their_orbital(
    result: StudyResult,
) -> None:
    assert [c.identifier for c in result.claims] == ["S5"] * 4
    assert [c.n_trainings > 0 or bool(c.judged) for c in result.claims] == [
        True,
        True,
        False,
        False,
    ]
    assert all(c.verdict != "holds" for c in result.claims)  # one training of one molecule
    names = [set(c.judged[0].parts[0].controls) for c in result.claims[:2]]
    assert names == [{"untrained", "element and neighbours"}] * 2


def test_the_papers_molecules_are_in_the_tables_but_not_in_the_means(result: StudyResult) -> None:
    sets = {row["molecule"]: row["set"] for row in result.tables["molecules"]}
    assert sets["thymine"] == "paper"
    assert sets["C6H6"] == "inputs"
    assert result.effect("homo: overlap of the leading atoms").n == 2


def test_attention_in_the_table_adds_up_to_one(result: StudyResult) -> None:
    scores = [r["attention"] for r in result.tables["atoms"] if r["molecule"] == "C6H6"]
    assert sum(float(str(s)) for s in scores) == pytest.approx(1.0, abs=1e-5)


def test_figures_are_drawn_from_the_result(
    result: StudyResult, settings: OrbitalsSettings, tmp_path: Path
) -> None:
    paths = STUDIES["orbitals"](settings).draw(result, tmp_path)
    assert [p.name for p in paths] == ["orbitals.png", "isosurfaces.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in paths)


def test_a_study_without_a_model_of_an_orbital_says_what_to_train(
    settings: OrbitalsSettings,
) -> None:
    with pytest.raises(StudyError, match="single target homo or lumo"):
        STUDIES["orbitals"](settings).run(given_of("gap"))


def test_if_no_orbital_can_be_calculated_the_first_reason_is_told(
    settings: OrbitalsSettings,
) -> None:
    with pytest.raises(StudyError, match=r"No orbital of the 1 molecules .* CH4: it has no"):
        STUDIES["orbitals"](settings).run(given_of("homo", names=("CH4",)))


def test_without_molecules_the_sample_is_used_but_not_what_the_model_was_trained_on() -> None:
    names = [o.name for o in load_sample().orbitals if o.name.startswith("dsgdb9nsd")]
    record = TrainingRecord(split={"train": tuple(names[5:]), "validation": (), "test": ()})
    model = replace(make_predictor("lumo"), record=record)
    result = STUDIES["orbitals"]().run(StudyInput(models=(model,), data=dataset()))
    assert result.n_structures == 5
    assert result.counts["left out, in a training part"] == len(names) - 5


def test_the_order_of_an_esters_atoms_is_held_against_the_table_too(
    of_the_sample: StudyResult,
) -> None:
    esters = [c for c in of_the_sample.claims if c.judged and "LUMO" in c.statement]
    assert len(esters) == 2
    for claim in esters:  # both numbers, the order and the correlation, name the table
        assert claim.evidence.count("element and neighbours") == 2, claim.evidence
