"""Substitution: which atoms are replaced, what the ratio is, what is said of bad input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.spacegroup import crystal

from atomlens.datasets.base import Dataset
from atomlens.elements import ATOMIC_NUMBERS
from atomlens.errors import SettingsError, StudyError
from atomlens.predictor import Predictor
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import StudyInput
from atomlens.studies.substitution.claims import all_claims, chance_of_area
from atomlens.studies.substitution.numbers import Ratios, ratio
from atomlens.studies.substitution.study import Substitution, SubstitutionSettings
from atomlens.studies.substitution.substituted import (
    Substituted,
    parse_elements,
    recognise,
    reduced_formula,
    substitute,
)
from atomlens.targets import Target
from study_makers import make_predictor

ENERGY = Target(name="formation_energy", unit="eV/atom")


def samarium_iron() -> Atoms:
    """SmFe12 in the ThMn12 structure, 13 atoms."""
    atoms = crystal(
        ["Sm", "Fe", "Fe", "Fe"],
        [(0, 0, 0), (0.25, 0.25, 0.25), (0.36, 0, 0), (0.28, 0.5, 0)],
        spacegroup=139,
        cellpar=[8.5, 8.5, 4.77, 90, 90, 90],
        primitive_cell=True,
    )
    atoms.info["name"] = "SmFe12"
    return atoms


def arrays(*atoms: Atoms) -> StructureArrays:
    """Lay structures end to end."""
    return StructureArrays.from_atoms(list(atoms))


def untrained_model(elements: tuple[int, ...] = ()) -> Predictor:
    """A small network that learned nothing."""
    model = make_predictor("formation_energy")
    return replace(model, elements=elements)


def study_input(
    *atoms: Atoms, values: list[float] | None = None, elements: tuple[int, ...] = ()
) -> StudyInput:
    """A study of structures, with or without given values."""
    data = Dataset(
        name="made",
        structures=arrays(*atoms),
        targets=() if values is None else (ENERGY,),
        values=np.zeros((len(atoms), 0)) if values is None else np.array(values)[:, None],
    )
    return StudyInput(models=(untrained_model(elements),), data=data)


def item(replaced: list[int], host_atoms: list[int]) -> Substituted:
    """A substituted structure of which only the atoms matter."""
    return Substituted(
        row=0,
        host="host",
        host_row=None,
        site="",
        multiplicity=1,
        element=42,
        replaced=np.array(replaced),
        host_atoms=np.array(host_atoms),
    )


def alloy(x: str, n: int = 1) -> Atoms:
    """A cell of samarium and iron with some iron atoms replaced, named by its formula."""
    atoms = samarium_iron()
    symbols = np.array(atoms.get_chemical_symbols())
    symbols[np.flatnonzero(symbols == "Fe")[:n]] = x
    atoms.set_chemical_symbols(symbols.tolist())
    atoms.info["name"] = f"{x}{n}"
    return atoms


def test_the_ratio_is_the_substituent_over_the_lowest_host_atom() -> None:
    scores = np.array([0.05, 0.30, 0.20, 0.45])
    assert ratio(scores, item([3], [1, 2])) == pytest.approx(0.45 / 0.20)


def test_the_compatible_ratio_takes_every_atom_and_three_decimals() -> None:
    scores = np.array([0.0504, 0.30, 0.20, 0.4496])
    assert ratio(scores, item([3], [1, 2]), compatible=True) == pytest.approx(0.45 / 0.05)


def test_an_attention_that_rounds_to_zero_gives_no_compatible_ratio() -> None:
    assert np.isnan(ratio(np.array([0.0004, 0.9996]), item([1], [0]), compatible=True))


def test_samarium_iron_has_three_kinds_of_iron_sites() -> None:
    found = substitute(
        arrays(samarium_iron()), [42], site_element=None, all_sites=False, tolerance=0.01
    )
    assert found.formulas == ("Fe12Sm",)
    assert found.hosts[0]["space_group"] == "I4/mmm"
    assert [i.multiplicity for i in found.items] == [4, 4, 4]
    assert sorted(i.site for i in found.items) == ["Fe f ×4", "Fe i ×4", "Fe j ×4"]
    for i in found.items:
        numbers = found.structures[i.row].atomic_numbers
        assert numbers[i.replaced].tolist() == [42]
        assert (numbers[i.host_atoms] == 26).all()
        assert len(i.host_atoms) == 11


def test_all_sites_are_replaced_if_asked() -> None:
    found = substitute(
        arrays(samarium_iron()), [42], site_element=None, all_sites=True, tolerance=0.01
    )
    assert len(found.items) == 12


def test_noise_within_the_tolerance_leaves_the_sites_and_is_reported() -> None:
    atoms = samarium_iron()
    atoms.rattle(0.003, seed=1)
    found = substitute(arrays(atoms), [42], site_element=None, all_sites=False, tolerance=0.1)
    assert len(found.items) == 3
    assert 0.0 < float(str(found.hosts[0]["deviation"])) < 0.1
    broken = substitute(arrays(atoms), [42], site_element=None, all_sites=False, tolerance=1e-5)
    assert len(broken.items) == 12


def test_the_host_element_itself_is_no_substituent() -> None:
    found = substitute(
        arrays(samarium_iron()), [26, 42], site_element=26, all_sites=False, tolerance=0.01
    )
    assert {i.element for i in found.items} == {42}


def test_molecules_and_lone_atoms_are_failures_and_the_rest_goes_on() -> None:
    lone = bulk("Fe")
    found = substitute(
        arrays(molecule("H2O"), lone, samarium_iron()),
        [42],
        site_element=26,
        all_sites=False,
        tolerance=0.01,
    )
    assert [f.message.partition(":")[2].split(";")[0][:20] for f in found.failures] == [
        " it is no crystal",
        " its cell has 1 atom",
    ]
    assert found.counts["hosts"] == 1


def test_without_any_host_the_first_reason_is_said() -> None:
    with pytest.raises(StudyError, match="it is no crystal"):
        substitute(
            arrays(molecule("H2O")), [42], site_element=None, all_sites=False, tolerance=0.01
        )


def test_given_structures_are_sorted_by_their_substituted_elements() -> None:
    twice = alloy("Mo")
    twice.numbers[np.flatnonzero(twice.numbers == 26)[0]] = 29
    without_iron = alloy("Zn", 12)
    data = arrays(samarium_iron(), alloy("Mo"), alloy("Al", 2), twice, without_iron)
    found = recognise(data, 26, ())
    assert [(i.row, i.element, len(i.replaced)) for i in found.items] == [(1, 42, 1), (2, 13, 2)]
    assert found.counts["unsubstituted"] == 1
    assert found.counts["several substituted elements"] == 1
    assert [f.name for f in found.failures] == ["Zn12"]
    assert found.formulas == ("Fe12Sm",)
    assert {i.host_row for i in found.items} == {0}


def test_a_single_given_structure_needs_its_spectators() -> None:
    with pytest.raises(StudyError, match="spectators"):
        recognise(arrays(alloy("Mo")), 26, ())
    assert len(recognise(arrays(alloy("Mo")), 26, (62,)).items) == 1


def test_formulas_are_reduced_and_in_the_order_of_the_alphabet() -> None:
    assert reduced_formula(np.array([26, 26, 62, 62, 26, 26], dtype=np.uint8)) == "Fe2Sm"


def test_an_unknown_element_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="elements"):
        parse_elements("Mo,Xx", "elements")


def test_no_element_can_be_in_both_groups() -> None:
    study = Substitution(SubstitutionSettings(low_group="Mo,Al", high_group="Al"))
    with pytest.raises(SettingsError, match="Al cannot be in low_group and in high_group"):
        study.run(study_input(samarium_iron()))


def test_the_study_gives_effects_with_controls_and_both_verdicts(tmp_path: Path) -> None:
    study = Substitution()
    result = study.run(study_input(samarium_iron()))
    assert result.n_structures == 21
    assert [c.identifier for c in result.claims] == ["S11", "S12"]
    assert all(c.verdict != "holds" for c in result.claims)
    assert result.effects[0].n == 7
    assert "elements were resampled" in result.effects[0].meaning
    assert all("untrained" in e.controls for e in result.effects)
    assert len(result.tables["elements"]) == 7
    drawn = study.draw(result, tmp_path)
    assert [path.name for path in drawn] == ["substitution-map.png", "ratio-against-value.png"]
    assert all(path.stat().st_size > 0 for path in drawn)
    result.save(tmp_path)
    assert (tmp_path / "substitutions.csv").read_text().count("\n") == 22


def test_two_atoms_are_substituted_together() -> None:
    study = Substitution(SubstitutionSettings(elements="Mo,Co", n_substituted=2))
    result = study.run(study_input(samarium_iron()))
    rows = result.tables["substitutions"]
    assert len(rows) == 2 * 3 * 11  # elements, sites, other iron atoms
    assert {row["n_substituted"] for row in rows} == {2}
    assert {c.verdict for c in result.claims} == {"not tested"}
    assert "one of its atoms" in result.claims[0].evidence
    assert any("and atom" in str(row["site"]) for row in rows)


def test_changes_are_against_the_prediction_of_the_host() -> None:
    given = study_input(samarium_iron())
    result = Substitution(SubstitutionSettings(elements="Mo")).run(given)
    host = given.models[0].predict(samarium_iron()).values[0, 0]
    for row in result.tables["substitutions"]:
        assert row["change"] == pytest.approx(float(str(row["predicted"])) - host, abs=1e-6)


def test_compatible_ratios_are_never_below_one() -> None:
    study = Substitution(SubstitutionSettings(compatible=True))
    result = study.run(study_input(samarium_iron()))
    assert all(float(str(row["ratio"])) >= 1 for row in result.tables["substitutions"])
    assert any("three decimals" in note for note in result.notes)


def test_given_values_go_before_predicted_ones() -> None:
    elements = ("Mo", "Al", "Co", "Ti")
    atoms = [samarium_iron(), *(alloy(x) for x in elements)]
    given = study_input(*atoms, values=[0.07, 0.1, -0.2, 0.0, -0.1])
    result = Substitution(SubstitutionSettings(host_element="Fe")).run(given)
    values = [row["value"] for row in result.tables["substitutions"]]
    assert values == [0.1, -0.2, 0.0, -0.1]
    assert any("the given values" in note for note in result.notes)
    assert result.claims[1].verdict == "not tested"


def test_other_hosts_get_effects_but_no_verdict() -> None:
    iron = bulk("Fe", cubic=True)
    iron.info["name"] = "iron"
    result = Substitution().run(study_input(iron))
    assert {c.verdict for c in result.claims} == {"not tested"}
    assert len(result.effects) == 2


def test_elements_that_the_model_never_saw_are_named() -> None:
    seen = tuple(ATOMIC_NUMBERS[s] for s in ("Sm", "Fe", "Al", "Co", "Cu", "Ga", "Ti", "Zn"))
    result = Substitution().run(study_input(samarium_iron(), elements=seen))
    assert any("the training data had no Mo;" in note for note in result.notes)
    unseen = {r["element"] for r in result.tables["elements"] if not r["seen_in_training"]}
    assert unseen == {"Mo"}


GROUPS = {ATOMIC_NUMBERS[s]: "low" for s in ("Cu", "Zn", "Mo")} | {
    ATOMIC_NUMBERS[s]: "high" for s in ("Al", "Ti", "Co", "Ga")
}
PUBLISHED = {"Mo": 1.0, "Cu": 0.9, "Zn": 0.95, "Co": 1.3, "Al": 1.4, "Ti": 1.2, "Ga": 1.35}


def made(
    ratios: dict[str, float], controls: dict[str, float] | None = None, seed: int = 0
) -> Ratios:
    """Three sites of each element with about these ratios, and energies that fall with them."""
    items = [
        Substituted(
            host="SmFe12",
            row=0,
            host_row=0,
            site=f"Fe{site}",
            multiplicity=8,
            element=ATOMIC_NUMBERS[element],
            replaced=np.array([1]),
            host_atoms=np.array([2]),
        )
        for element in ratios
        for site in range(3)
    ]
    random = np.random.default_rng(seed)

    def of(wanted: dict[str, float]) -> np.ndarray:
        return np.repeat(list(wanted.values()), 3) + 0.01 * random.normal(size=3 * len(wanted))

    even = dict.fromkeys(ratios, 1.0) if controls is None else controls
    return Ratios(
        items=tuple(items),
        ratios=of(ratios),
        controls={
            "untrained": tuple(of(even) for _ in range(3)),
            "shuffled labels": (of(even),),
        },
        values=-of(ratios),
        predicted=-of(ratios),
        changes=np.zeros(len(items)),
    )


def verdicts(models: dict[str, Ratios], formulas: list[str] | None = None) -> list[str]:
    found = all_claims({"e": models}, formulas or ["Fe12Sm"], GROUPS)
    assert [c.identifier for c in found] == ["S11", "S12"]
    return [c.verdict for c in found]


def test_the_claims_hold_for_ratios_as_published_in_several_trainings() -> None:
    models = {f"e ({i})": made(PUBLISHED, seed=i) for i in range(3)}
    assert verdicts(models) == ["holds", "holds"]


def test_a_single_training_does_not_decide_about_one_host() -> None:
    assert verdicts({"e": made(PUBLISHED)}) == ["not tested", "holds"]


def test_other_ratios_fail() -> None:
    mixed = PUBLISHED | {"Mo": 1.3, "Cu": 1.4, "Al": 0.9}
    assert verdicts({f"e ({i})": made(mixed, seed=i) for i in range(3)}) == ["fails", "fails"]


def test_ratios_that_untrained_networks_show_as_well_show_nothing() -> None:
    models = {f"e ({i})": made(PUBLISHED, PUBLISHED, seed=i) for i in range(3)}
    assert verdicts(models) == ["as much in controls", "as much in controls"]


def test_sites_of_one_element_are_no_independent_cases_of_it() -> None:
    one_low = {"Mo": 1.25, "Cu": 0.9, "Zn": 0.95, "Co": 1.3, "Al": 1.4, "Ti": 1.2, "Ga": 1.35}
    claim = all_claims({"e": {"e": made(one_low)}}, ["Fe12Sm"], GROUPS)[1]
    area = claim.judged[0].parts[0]
    assert area.n == 7
    assert area.value > 0.8 > area.low
    assert claim.verdict == "fails"


def test_chance_counts_the_orders_of_the_elements() -> None:
    assert chance_of_area(3, 4, 0.8) == pytest.approx(4 / 35)
