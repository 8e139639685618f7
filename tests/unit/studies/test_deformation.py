"""Deformation of carbon: geometry known by hand, signs, and what the study makes of it."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import graphene, molecule

from atomlens.errors import SettingsError, StudyError
from atomlens.structures.arrays import Structure, structure_of
from atomlens.studies.base import StudyInput
from atomlens.studies.deformation.carbon_geometry import carbon_geometry
from atomlens.studies.deformation.numbers import Numbers, Trained, claims_of, numbers_of
from atomlens.studies.deformation.study import Deformation, DeformationSettings
from study_makers import dataset, make_predictor


def sheet(bond: float = 1.42, size: int = 3) -> Atoms:
    """Flat periodic graphene."""
    atoms = graphene(a=bond * np.sqrt(3), size=(size, size, 1), vacuum=8.0)
    atoms.pbc = True
    atoms.info["name"] = "sheet"
    return atoms


def measured(atoms: Atoms, **options: object) -> object:
    """The geometry of an ase structure."""
    return carbon_geometry(structure_of(atoms), **options)


def bumpy_sheet(name: str, seed: int) -> Atoms:
    """Graphene shaken at random."""
    atoms = sheet()
    atoms.rattle(0.08, seed=seed)
    atoms.info["name"] = name
    return atoms


def ball() -> Structure:
    """C60 with all bonds of one length: every corner of a truncated icosahedron."""
    golden = (1 + np.sqrt(5)) / 2
    corners = []
    for base in (
        (0.0, 1.0, 3 * golden),
        (1.0, 2 + golden, 2 * golden),
        (golden, 2.0, golden**3),
    ):
        for signs in np.ndindex(2, 2, 2):
            point = np.array(base) * (1 - 2 * np.array(signs))
            corners += [np.roll(point, shift) for shift in range(3)]
    positions = np.unique(np.round(corners, 9), axis=0) * 1.44 / 2
    assert len(positions) == 60
    return structure_of(Atoms("C60", positions))


def test_flat_graphene_is_neither_stretched_nor_pyramidal() -> None:
    found = measured(sheet())
    assert len(found) == 18
    assert found.elongation == pytest.approx(np.zeros(18), abs=1e-9)
    assert found.height == pytest.approx(np.zeros(18), abs=1e-9)
    assert found.angle == pytest.approx(np.zeros(18), abs=1e-5)


def test_stretched_graphene_is_elongated_by_the_stretch() -> None:
    assert measured(sheet(1.47)).elongation == pytest.approx(np.full(18, 0.05), abs=1e-9)


def test_corners_of_a_ball_stand_as_high_as_a_circle_says() -> None:
    # neighbours at distance a on a sphere of radius R lie a**2 / 2R below the corner
    radius = 1.44 * np.sqrt(58 + 18 * np.sqrt(5)) / 4
    found = carbon_geometry(ball())
    assert len(found) == 60
    assert found.height == pytest.approx(np.full(60, 1.44**2 / (2 * radius)), abs=1e-6)


def test_the_pyramidalisation_angle_of_a_ball_is_that_of_haddon() -> None:
    assert carbon_geometry(ball()).angle == pytest.approx(np.full(60, 11.64), abs=0.01)


def test_height_and_angle_agree_for_bonds_of_one_length() -> None:
    found = carbon_geometry(ball())
    assert found.height == pytest.approx(1.44 * np.sin(np.radians(found.angle)), abs=1e-9)


def test_a_lifted_atom_is_convex_on_the_side_it_was_lifted_to() -> None:
    atoms = sheet()
    atoms.positions[0, 2] += 0.3
    middle = atoms.positions[:, 2].mean()
    for shift, sign in ((2.5, 1.0), (-2.5, -1.0)):
        with_metal = atoms + Atoms("Pt", [[*atoms.positions[0, :2], middle + shift]])
        found = measured(with_metal)
        lifted = found.atoms.tolist().index(0)
        assert found.height[lifted] == pytest.approx(0.3 * sign, abs=1e-9)
        assert found.distance[lifted] == pytest.approx(
            abs(with_metal.positions[-1, 2] - with_metal.positions[0, 2])
        )


def test_without_an_adsorbed_atom_a_sheet_has_no_sides() -> None:
    atoms = sheet()
    atoms.positions[0, 2] -= 0.3
    assert measured(atoms).height.min() >= 0
    with pytest.raises(StudyError, match="no adsorbed atom"):
        measured(atoms, outward="adsorbed")


def test_rotation_changes_no_measure() -> None:
    atoms = molecule("C60")
    before = measured(atoms)
    atoms.rotate(37, (1, 2, 3))
    after = measured(atoms)
    assert after.height == pytest.approx(before.height, abs=1e-9)
    assert after.elongation == pytest.approx(before.elongation, abs=1e-9)


def test_a_reference_structure_gives_every_bond_its_own_length() -> None:
    relaxed = molecule("C60")
    found = measured(relaxed, reference=structure_of(relaxed))
    assert found.elongation == pytest.approx(np.zeros(60), abs=1e-9)
    wider = relaxed.copy()
    wider.positions *= 1.01
    longer = measured(wider, reference=structure_of(relaxed)).elongation
    assert longer == pytest.approx(0.01 * (measured(relaxed).elongation + 1.42), abs=1e-9)


def test_a_reference_across_the_border_of_the_cell_counts_the_nearest_image() -> None:
    found = measured(sheet(1.45), reference=structure_of(sheet(1.42)))
    assert found.elongation == pytest.approx(np.full(18, 0.03), abs=1e-9)


def test_a_reference_with_other_atoms_is_refused() -> None:
    with pytest.raises(StudyError, match="not those of the reference"):
        measured(sheet(), reference=structure_of(molecule("C60")))


def test_carbons_with_hydrogen_and_metals_are_no_part_of_the_network() -> None:
    assert len(measured(molecule("C6H6"))) == 0
    with_metal = sheet() + Atoms("Pt", [[0.0, 0.0, sheet().positions[0, 2] + 1.5]])
    assert len(measured(with_metal)) == 18


def test_structures_without_such_carbons_are_counted_and_the_rest_goes_on() -> None:
    data = dataset(bumpy_sheet("a", 1), molecule("CH3CH2OH"), bumpy_sheet("b", 2))
    result = Deformation().run(StudyInput(models=(make_predictor(),), data=data))
    assert result.n_structures == 2
    assert result.counts["left out, fewer than 5 three-coordinated carbons"] == 1


def test_nothing_but_alcohol_is_an_error() -> None:
    data = dataset(molecule("CH3CH2OH"))
    with pytest.raises(StudyError, match="5 carbons with three carbon neighbours"):
        Deformation().run(StudyInput(models=(make_predictor(),), data=data))


def test_symmetry_equal_attention_has_no_correlation() -> None:
    data = dataset(molecule("C60"))
    result = Deformation().run(StudyInput(models=(make_predictor(),), data=data))
    assert {c.verdict for c in result.claims} == {"not tested"}


def test_attention_that_is_the_elongation_gives_full_correlation() -> None:
    data = dataset(bumpy_sheet("a", 1))
    result = Deformation().run(StudyInput(models=(make_predictor(),), data=data))
    carbons = measured(bumpy_sheet("a", 1))
    from atomlens.studies.networks import Attention

    scores = np.exp(carbons.elongation)
    attention = Attention(
        scores=(scores / scores.sum(),), values=np.zeros((1, 1)), kept=np.array([0])
    )
    found = numbers_of(attention, {0: carbons}, [0], "height", 0.1)
    assert found.correlations["elongation"][0] == pytest.approx(1.0)
    highest = np.sort(carbons.elongation)[-2:]
    assert found.tops["elongation"][0] == pytest.approx(highest.mean() - carbons.elongation.mean())
    assert result.n_structures == 1


def made(correlation: float, seed: int, n: int = 40) -> Numbers:
    """A network whose attention follows both measures by so much in each structure."""
    noise = 0.1 * np.random.default_rng(seed).normal(size=(4, n))
    names = ("elongation", "pyramidalisation")
    return Numbers(
        {name: correlation + noise[i] for i, name in enumerate(names)},
        {name: 0.1 * (correlation + noise[i + 2]) for i, name in enumerate(names)},
    )


def learned(trained: float, untrained: float = 0.0, shuffled: float = 0.0, n: int = 40) -> Trained:
    return made(trained, 0, n), {
        "untrained": [made(untrained, seed, n) for seed in (1, 2, 3)],
        "shuffled labels": [made(shuffled, 4, n)],
    }


@pytest.mark.parametrize(
    ("effect", "verdict"),
    [
        (learned(0.5), "holds"),
        (learned(-0.4), "fails"),
        (learned(0.3, shuffled=0.77), "as much in controls"),
        (learned(0.3, untrained=0.3), "as much in controls"),
        (learned(0.5, n=1), "not tested"),
    ],
)
def test_claims_are_above_zero_and_above_the_controls(effect: Trained, verdict: str) -> None:
    claims = claims_of({"energy": {"energy": effect}})
    assert [c.identifier for c in claims] == ["S8", "S9"]
    assert [c.verdict for c in claims] == [verdict] * 2


def test_a_control_with_equal_attention_everywhere_counts_as_no_relation() -> None:
    trained, controls = learned(0.5)
    nothing = {name: np.full(40, np.nan) for name in trained.correlations}
    flat = {"untrained": [Numbers(nothing, nothing)] * 3}
    (first, _) = claims_of({"energy": {"energy": (trained, controls | flat)}})
    assert first.verdict == "holds"
    assert first.judged[0].parts[0].controls["untrained"].control == 0.0


def test_trainings_of_one_target_are_one_claim_in_whatever_order() -> None:
    models = {"energy (1)": learned(0.5), "energy (2)": learned(-0.3)}
    first, second = (
        claims_of({"energy": order}) for order in (models, dict(reversed(models.items())))
    )
    assert first == second
    assert {c.verdict for c in first} == {"fails"}
    assert (first[0].n_held, first[0].n_trainings) == (1, 2)


def test_figures_and_tables_are_written(tmp_path: Path) -> None:
    metal = sheet() + Atoms("Pt", [[0.0, 0.0, sheet().positions[0, 2] + 2.1]])
    metal.rattle(0.05, seed=3)
    metal.info["name"] = "with metal"
    data = dataset(metal, bumpy_sheet("without", 1))
    study = Deformation(DeformationSettings(pyramidalisation="angle"))
    result = study.run(StudyInput(models=(make_predictor(),), data=data))
    drawn = study.draw(result, tmp_path)
    assert [p.name for p in drawn] == ["deformation.png", "example.png"]
    result.save(tmp_path)
    assert (tmp_path / "structures.csv").read_text().count("\n") == 3
    assert any(e.unit == "degrees" for e in result.effects)
    assert any("nearness" in e.name for e in result.effects)


@pytest.mark.parametrize("wrong", [{"top": 0.0}, {"reference_bond": 2.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="must be above 0"):
        DeformationSettings(**wrong)
