"""What pymatgen holds beside a structure is the same in a file and in memory."""

import json

import pytest

from atomlens.datasets import load_dataset
from atomlens.errors import DatasetError

pymatgen = pytest.importorskip("pymatgen.core")
SALTS = [
    pymatgen.Structure(
        pymatgen.Lattice.cubic(5.6 + i / 10),
        ["Na", "Cl"],
        [[0, 0, 0], [0.5, 0.5, 0.5]],
        properties={"gap": 8.0 + i, "origin": "made"},
    )
    for i in range(3)
]


def entry_of(structure, i, correction):
    """Return what ``ComputedStructureEntry.as_dict`` writes."""
    return {
        "@module": "pymatgen.core.entries",
        "@class": "ComputedStructureEntry",
        "energy": -7.0 - i,
        "composition": {"Na": 1.0, "Cl": 1.0},
        "entry_id": f"salt-{i}",
        "correction": correction,
        "energy_adjustments": [],
        "parameters": {},
        "data": {"modulus": 24.0 + i},
        "structure": structure.as_dict(),
    }


@pytest.mark.parametrize("by_name", [False, True])
def test_properties_of_structures_are_values_in_a_file_as_in_memory(by_name, tmp_path):
    listed = [one.as_dict() for one in SALTS]
    named = {f"salt-{i}": one for i, one in enumerate(listed)}
    (tmp_path / "salts.json").write_text(json.dumps(named if by_name else listed))
    there, here = load_dataset(tmp_path / "salts.json", "gap"), load_dataset(SALTS, "gap")
    assert there.values.tolist() == here.values.tolist() == [[8.0], [9.0], [10.0]]


def test_the_energy_of_an_entry_is_corrected_in_a_file_and_the_other_has_a_name(tmp_path):
    path = tmp_path / "entries.json"
    path.write_text(json.dumps([entry_of(one, i, -3.5) for i, one in enumerate(SALTS)]))
    with pytest.warns(UserWarning, match=r"corrections of the entries \(up to 3\.5 eV\)"):
        energies = load_dataset(path, "energy")
    assert energies.values.tolist() == [[-10.5], [-11.5], [-12.5]]
    bare = load_dataset(path, "uncorrected_energy")
    assert bare.values.tolist() == [[-7.0], [-8.0], [-9.0]]
    for data in (energies, bare):
        assert (data.targets[0].unit, data.targets[0].extensive) == ("eV", True)
    assert load_dataset(path, "modulus").values.tolist() == [[24.0], [25.0], [26.0]]
    assert load_dataset(path, "gap").values.tolist() == [[8.0], [9.0], [10.0]]
    with pytest.raises(DatasetError) as refused:
        load_dataset(path, "nothing")
    assert "@" not in str(refused.value)


def test_nothing_is_said_of_entries_without_corrections(tmp_path, recwarn):
    path = tmp_path / "entries.json"
    path.write_text(json.dumps([entry_of(one, i, 0.0) for i, one in enumerate(SALTS)]))
    assert load_dataset(path, "energy").values.tolist() == [[-7.0], [-8.0], [-9.0]]
    assert not [w for w in recwarn if "correction" in str(w.message)]


def test_entries_in_memory_are_what_they_are_in_a_file(tmp_path):
    entries = pytest.importorskip("pymatgen.entries.computed_entries")  # not in pymatgen-core
    held = [
        entries.ComputedStructureEntry(one, -7.0 - i, correction=-3.5, data={"modulus": 24.0 + i})
        for i, one in enumerate(SALTS)
    ]
    path = tmp_path / "entries.json"
    path.write_text(json.dumps([one.as_dict() for one in held], default=str))
    for name in ("uncorrected_energy", "modulus", "gap"):
        here, there = load_dataset(held, name), load_dataset(path, name)
        assert here.values.tolist() == there.values.tolist()
        assert here.targets == there.targets
    with pytest.warns(UserWarning, match="corrections of the entries"):
        here, there = load_dataset(held, "energy"), load_dataset(path, "energy")
    assert here.values.tolist() == there.values.tolist()
    assert here.values[0, 0] == held[0].energy
