"""A structure coloured by attention, drawn from the rows of a study's tables."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atomlens.structures.arrays import Structure
from atomlens.studies.base import Row
from atomlens.studies.networks import Measured
from atomlens.studies.rows import as_number


def head_row(one: Measured, structure: Structure, place: int, picture: int) -> Row:
    """Return what stands above a picture: model, prediction and cell.

    Args:
        one: The model whose attention is drawn.
        structure: What is drawn.
        place: Of the structure among those that the model took.
        picture: Number of the picture.
    """
    target = one.predictor.targets[0]
    head: dict[str, object] = {
        "picture": picture,
        "structure": structure.name,
        "model": one.label,
        "model_kind": one.predictor.model_name,
        "target": target.name,
        "unit": target.unit,
        "prediction": float(one.trained.values[place, 0]),
    }
    for i, letter in enumerate("abc"):
        head |= {f"{letter}_{axis}": float(structure.cell[i, k]) for k, axis in enumerate("xyz")}
        head[f"{letter}_repeats"] = bool(structure.pbc[i])
    return head


def atom_row(structure: Structure, atom: int, attention: float, picture: int) -> dict[str, object]:
    """Return what is drawn of one atom."""
    return {
        "picture": picture,
        "structure": structure.name,
        "atom": atom,
        "atomic_number": int(structure.atomic_numbers[atom]),
        **{axis: float(structure.positions[atom, k]) for k, axis in enumerate("xyz")},
        "attention": attention,
    }


def draw_attended(head: Row, atoms: Sequence[Row], path: Path) -> Path:
    """Draw a structure coloured by attention, its highest atoms named.

    Args:
        head: A `head_row`.
        atoms: The `atom_row` of each atom.
        path: .png, .svg or .pdf.
    """
    from ase import Atoms

    from atomlens.reports.content import ExplainedStructure
    from atomlens.reports.structure_figure import draw_structure

    drawn = Atoms(
        numbers=[int(as_number(row["atomic_number"])) for row in atoms],
        positions=[[as_number(row[axis]) for axis in "xyz"] for row in atoms],
        cell=[[as_number(head[f"{letter}_{axis}"]) for axis in "xyz"] for letter in "abc"],
        pbc=[bool(head[f"{letter}_repeats"]) for letter in "abc"],
    )
    content = ExplainedStructure(
        name=str(head["structure"]),
        atoms=drawn,
        target=str(head["target"]),
        unit=str(head["unit"]),
        method="attention",
        prediction=as_number(head["prediction"]),
        std=None,
        std_source="none",
        scores=np.array([row["attention"] for row in atoms], dtype=float),
        scores_std=None,
        baseline=1 / len(atoms),
        model=str(head["model_kind"]),
    )
    return draw_structure(content, path)
