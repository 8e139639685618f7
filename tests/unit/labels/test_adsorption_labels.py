"""Many crystals at several pressures: rows, failures, tables for training."""

from pathlib import Path
from typing import Any

import pytest

from atomlens.errors import Failure, SettingsError
from atomlens.labels import GcmcSettings, label_adsorption, training_rows
from label_makers import argon_crystal, needs_raspalib

SHORT = GcmcSettings(cutoff=8.0, equilibration=20, cycles=50)


@needs_raspalib
def test_each_crystal_and_pressure_is_one_row_in_the_order_given() -> None:
    crystals = [argon_crystal(name="one"), argon_crystal(18.0, name="two")]
    labels = label_adsorption(crystals, [5.0, 20.0], gas="CH4", settings=SHORT)
    assert [(r["name"], r["pressure"]) for r in labels.records] == [
        ("one", 5.0),
        ("one", 20.0),
        ("two", 5.0),
        ("two", 20.0),
    ]
    assert not labels.failures


@needs_raspalib
def test_a_row_says_what_was_simulated() -> None:
    (row,) = label_adsorption([argon_crystal()], [20.0], gas="CH4", settings=SHORT).records
    assert row["formula"] == "Ar3"
    assert row["unit"] == "mmol/g"
    assert (row["gas"], row["temperature"], row["force_field"]) == ("CH4", 298.0, "uff")
    assert (row["charges"], row["cells"]) == ("none", "1x1x1")
    assert row["uptake"] > row["uptake_error"] > 0


@needs_raspalib
def test_bad_inputs_keep_their_place_and_the_rest_goes_on() -> None:
    inputs = [Failure(name="gone", message="gone: no such file"), argon_crystal()]
    flat = argon_crystal(name="flat")
    flat.pbc = (True, True, False)
    labels = label_adsorption([*inputs, flat], [5.0], gas="CH4", settings=SHORT)
    assert [r["name"] for r in labels.records] == ["gone", "argon", "flat"]
    assert [f.name for f in labels.failures] == ["gone", "flat"]
    assert labels.records[0] == {"name": "gone", "error": "gone: no such file"}
    assert "three directions" in labels.records[2]["error"]


@needs_raspalib
def test_progress_rises_over_all_runs() -> None:
    heard: list[int] = []
    crystals = [argon_crystal(), argon_crystal(18.0)]
    label_adsorption(
        crystals,
        [1.0, 2.0],
        gas="CH4",
        settings=SHORT,
        progress=lambda done, total: heard.append(round(1000 * done / total)),
    )
    assert heard == sorted(heard)
    assert heard[-1] == 1000


@needs_raspalib
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gas": "CO"}, r"no gas 'CO'. Did you mean 'CO2'"),
        ({"force_field": "ufff"}, r"no force field 'ufff'. Did you mean 'uff'"),
        ({"pressures": []}, "one at least"),
        ({"pressures": [0.0]}, "above zero"),
        ({"pressures": [1.0, 101325.0]}, r"101325 Pa are 1.01325 bar"),
    ],
)
def test_what_does_not_exist_is_refused(options: dict[str, Any], message: str) -> None:
    pressures = options.pop("pressures", [1.0])
    with pytest.raises(SettingsError, match=message):
        label_adsorption([argon_crystal()], pressures, **options)


def test_a_table_for_training_has_one_row_a_structure_and_one_column_a_pressure() -> None:
    def record(name: str, pressure: float, uptake: float) -> dict[str, Any]:
        about = {"gas": "CO2", "temperature": 298.0, "file": str(Path("/data/mofs") / name)}
        return {"name": name, "pressure": pressure, "uptake": uptake} | about

    records = [
        record("a.cif", 0.15, 1.5),
        record("a.cif", 16.0, 7.0),
        {"name": "bad", "error": "bad: it is bad"},
        record("b.cif", 0.15, 2.5),
    ]
    assert training_rows(records, "/data") == [
        {
            "file": "mofs/a.cif",
            "name": "a.cif",
            "CO2_0.15bar_298K [mmol/g]": 1.5,
            "CO2_16bar_298K [mmol/g]": 7.0,
        },
        {"file": "mofs/b.cif", "name": "b.cif", "CO2_0.15bar_298K [mmol/g]": 2.5},
    ]


@needs_raspalib
def test_a_crystal_without_its_counter_ions_is_refused_also_for_a_gas_that_feels_no_charges() -> (
    None
):
    charged, neutral, careless = (argon_crystal(name=n) for n in ("charged", "neutral", "careless"))
    charged.set_initial_charges([0.6, 0.7, 0.7])
    neutral.set_initial_charges([0.4, -0.2, -0.2])
    careless.set_initial_charges([0.4, 0.0, 0.0])  # wrong, but no whole ion, and not felt
    crystals = [charged, neutral, careless]
    labels = label_adsorption(crystals, [5.0], gas="CH4", settings=SHORT)
    assert [f.name for f in labels.failures] == ["charged"]
    assert "about +2 e in the cell, as if counter-ions were missing" in labels.failures[0].message
    assert [r.get("warning") for r in labels.records[1:]] == [None, None]
    (row,) = label_adsorption([charged], [5.0], gas="CH4", charges="none", settings=SHORT).records
    assert "add up to about +2 e, as if counter-ions were missing" in row["warning"]
