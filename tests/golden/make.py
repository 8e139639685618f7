"""Make the golden folders of a release: `python tests/golden/make.py 0.1` in the root.

Each is made once, with the code of that release, and never again: what was written must load, and
give the same numbers, in every later version. So only folders that are missing are made. A release
that changes the format of model folders gets folders of its own beside the old ones.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula
from atomlens.targets import Target

HERE = Path(__file__).parent
ENERGIES = {1: -0.6, 6: -1.4, 7: -1.9, 8: -2.3, 9: -1.1, 12: -3.0, 16: -2.8, 20: -3.4, 30: -1.2}
SIGNAL = Target(name="signal", unit="eV")
ENERGY = Target(name="energy", unit="eV", extensive=True)
GAP = Target(name="gap", unit="eV", nonnegative=True)
PHASE = Target(name="phase", kind="classification", classes=("molecule", "light", "heavy"))
SPECTRUM = Target(name="eps", nonnegative=True, grid=(0.5, 1.0, 2.0, 3.5, 5.0, 8.0))
FORMULAS = [
    f"{metal}{n}{other}" for metal in ("Mg", "Ca", "Zn", "Sr") for n in ("", "2", "3")
    for other in ("O", "S", "F2")
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Case:
    """One folder: how its model is trained."""

    model: str
    targets: tuple[Target, ...] = (SIGNAL,)
    formulas: bool = False
    model_settings: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


_SCANN = {"n_layers": 1, "n_features": 8, "n_heads": 2, "n_embedding": 4, "n_elements": 40}
_CGCNN = {"n_layers": 2, "n_features": 6, "n_hidden": 6, "n_elements": 40}
_LADDER = {**_CGCNN, "n_edge_features": 5, "n_heads": 2}
_TABLE = {"n_hidden": (6, 6, 6, 6), "n_elements": 40}
_FINDER = {**_TABLE, "n_layers": 1, "n_features": 6, "element_vectors": "facts"}
_LENS = {**_SCANN, "consistency_every": 2}
_SUM = {"head": "additive", "consistency_every": 2}
_NOISE = {"loss": "robust-l1"}
_SETTINGS = {"epochs": 20, "batch_size": 8, "learning_rate": 0.03, "split": "random:.5/.4/.1"}
_SLOWLY = {"learning_rate": 0.003}
CASES = {
    "scann": Case(model="scann", model_settings=_SCANN),
    "scann-rings": Case(model="scann", model_settings={**_SCANN, "ring_features": True}),
    "scann-plus": Case(model="scann-plus", model_settings=_SCANN),
    "ensemble": Case(
        model="scann-plus",
        targets=(ENERGY,),
        model_settings=_SCANN,
        settings={"ensemble": 2, "loss": "robust-l1", "reference": "elements"},
    ),
    "cgcnn": Case(model="cgcnn", model_settings=_CGCNN),
    "classifier": Case(model="cgcnn", targets=(PHASE,), model_settings=_CGCNN),
    "several": Case(model="cgcnn", targets=(ENERGY, GAP, PHASE), model_settings=_CGCNN),
    "ae-cgcnn": Case(model="ae-cgcnn", model_settings=_LADDER),
    "ae-cgcnn-pool": Case(model="ae-cgcnn-pool", model_settings=_LADDER, settings=_SLOWLY),
    "geo-cgcnn": Case(
        model="geo-cgcnn", model_settings={"n_layers": 1, "n_features": 4, "n_elements": 40}
    ),
    "finder-formula": Case(model="finder", formulas=True, model_settings=_FINDER, settings=_SLOWLY),
    "finder-structure": Case(model="finder", model_settings=_FINDER, settings=_SLOWLY),
    "spectrum": Case(model="cgcnn", targets=(SPECTRUM,), model_settings=_CGCNN),
    "lens": Case(
        model="lens",
        targets=(ENERGY, GAP),
        model_settings=_LENS,
        settings={**_NOISE, "reference": "elements"},
    ),
    "lens-formula": Case(model="lens", targets=(GAP,), formulas=True, model_settings=_LENS),
    "scann-plus-additive": Case(
        model="scann-plus", model_settings={**_SCANN, **_SUM}, settings=_NOISE
    ),
    "cgcnn-additive": Case(model="cgcnn", targets=(GAP,), model_settings={**_CGCNN, **_SUM}),
    "finder-formula-additive": Case(
        model="finder", formulas=True, model_settings={**_FINDER, **_SUM}, settings=_NOISE
    ),
    "rescnn": Case(
        model="rescnn",
        formulas=True,
        model_settings={**_TABLE, "n_features": 2},
        settings=_SLOWLY,
    ),
    "rf-magpie": Case(
        model="rf-magpie",
        formulas=True,
        model_settings={"n_trees": 3, "max_depth": 4, "n_elements": 40},
    ),
    "mean": Case(model="mean", targets=(ENERGY,)),
    "ridge": Case(
        model="ridge", targets=(ENERGY, GAP), formulas=True, model_settings={"n_elements": 40}
    ),
}


def training_atoms(*, formulas: bool) -> list[Atoms]:
    """What the models have learned: molecules and crystals, or formulas."""
    if formulas:
        return [from_formula(f) for f in FORMULAS]
    from atomlens.datasets import DATASETS

    atoms = []
    toy: Any = DATASETS["toy"]
    for source in (toy(n=40), toy(kind="crystals", n=20)):
        structures = source.load().structures
        atoms += [structures.to_atoms(i) for i in range(len(structures))]
    for i, a in enumerate(atoms):
        a.info["name"] = f"sample-{i}"
        a.set_initial_charges(np.round(0.3 * np.sin(a.numbers * (1 + i % 3)), 3))
    return atoms


def value(target: Target, atoms: Atoms) -> np.ndarray:
    """A made-up value of a structure."""
    energies = np.array([ENERGIES.get(int(z), -2.0) for z in atoms.numbers])
    if target == ENERGY:
        return energies.sum() + 0.1 * len(atoms) * np.cos(len(atoms))
    if target == SIGNAL:
        return 10 * energies.mean() + 3 * np.cos(len(atoms))
    if target == GAP:
        return np.maximum(0, energies.mean() + 2.2)
    if target == PHASE:
        return np.array(0.0 if not atoms.pbc.any() else 1.0 + (atoms.numbers.max() > 25))
    resonance = 6 - 0.1 * atoms.numbers.mean()
    return 1 + 4 / (1 + (np.array(target.grid) - resonance) ** 2)


def dataset(case: Case) -> Dataset:
    atoms = training_atoms(formulas=case.formulas)
    rows = [np.concatenate([np.atleast_1d(value(t, a)) for t in case.targets]) for a in atoms]
    return Dataset(
        name="golden",
        structures=StructureArrays.from_atoms(atoms),
        targets=case.targets,
        values=np.array(rows, dtype=np.float64),
    )


def inputs() -> dict[str, Any]:
    """Structures as plain numbers, so that no reader of files has a part in the test."""
    slab = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    slab.center(vacuum=6.0, axis=2)
    slab.pbc = (True, True, False)
    slab.info["name"] = "MgO layer"
    structures = [molecule(name) for name in ("H2O", "CH3CH2OH", "CH3CN", "C6H6")]
    structures += [bulk("NaCl", "rocksalt", a=5.64), bulk("ZnS", "zincblende", a=5.41), slab]
    return {
        "structures": [
            {
                "name": a.info.get("name", a.get_chemical_formula()),
                "numbers": a.numbers.tolist(),
                "positions": np.round(a.positions, 5).tolist(),
                "cell": np.round(a.cell.array, 5).tolist(),
                "pbc": a.pbc.tolist(),
                "charges": np.round(0.2 * np.cos(a.numbers), 3).tolist(),
            }
            for a in structures
        ],
        "formulas": ["CaO", "Mg2SiO4", "SrF2", "Zn3S2", "NaCl"],
    }


def make(release: str) -> None:
    from golden_answers import expected_of, given_inputs

    folder = HERE / release
    folder.mkdir(exist_ok=True)
    if not (folder / "inputs.json").exists():
        (folder / "inputs.json").write_text(json.dumps(inputs(), indent=1) + "\n")
    missing = {name: case for name, case in CASES.items() if not (folder / name).exists()}
    for name, case in missing.items():
        predictor = al.train(
            dataset(case),
            model=case.model,
            target=[t.name for t in case.targets],
            model_settings=case.model_settings,
            **{**_SETTINGS, **case.settings},
        )
        predictor.save(folder / name)
        kind = "formulas" if case.formulas else "structures"
        expected = {
            "inputs": kind,
            **expected_of(al.load(folder / name), given_inputs(folder)[kind]),
        }
        (folder / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n")
        size = sum(f.stat().st_size for f in (folder / name).iterdir())
        print(f"{name}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    make(sys.argv[1])
