"""Several rows of one reduced formula: keep them, average them, or take the most stable one.

Molecules of one formula are isomers and no polymorphs: rows of one SMILES are one molecule.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.sampling import keep_rows
from atomlens.datasets.splits import reduced_formulas
from atomlens.datasets.tables.headers import is_of_smiles
from atomlens.errors import SettingsError, warn
from atomlens.printing import counted

Polymorphs = Literal["keep", "mean", "lowest"]


def merge_polymorphs(
    dataset: Dataset, how: Polymorphs, energies: NDArray[np.float64] | None = None
) -> Dataset:
    """Return the data set with one row a reduced formula; says in a warning how many there were.

    Args:
        dataset: Fe2O3 and Fe4O6 are one formula. Of molecules, those of one SMILES are one, their
            hand included.
        how: ``mean`` gives the first row of each formula the mean of the known values;
            ``lowest`` keeps the row of lowest energy, of equal ones the first; ``keep`` changes
            nothing.
        energies: (n,) for ``lowest``; rows without one (NaN) come last.

    Raises:
        SettingsError: a mean of classes, or the lowest of nothing, is asked for, or molecules
            share their formula and no column of SMILES says whether they are one.
    """
    if how == "keep":
        return dataset
    classes = [t.name for t in dataset.targets if t.kind == "classification"]
    if how == "mean" and classes:
        raise SettingsError(
            f"{dataset.name}: classes such as {classes[0]} have no mean; use polymorphs=lowest or "
            "keep."
        )
    if how == "lowest" and energies is None:
        raise SettingsError(
            f"{dataset.name}: polymorphs=lowest needs to know the energies: name their column "
            "with energy_column (--energy-column, in Python energy_column=)."
        )
    _, group = np.unique(_same(dataset, how), return_inverse=True)
    group = group.reshape(-1)
    order = np.arange(len(dataset))
    if energies is not None and how == "lowest":
        order = np.lexsort((order, np.nan_to_num(energies, nan=np.inf, posinf=np.inf)))
    _, place = np.unique(group[order], return_index=True)
    chosen = order[place]  # of each group in turn
    if how == "mean":
        values = dataset.values.copy()
        values[chosen] = _means(values, group, len(chosen))
        dataset = replace(dataset, values=values)
    _tell(dataset, np.bincount(group), how)
    return keep_rows(dataset, np.sort(chosen).astype(np.int64))


def _same(dataset: Dataset, how: Polymorphs) -> NDArray[np.str_]:
    """(n,) what the rows of one material have in common: the formula, or of molecules the SMILES.

    Raises:
        SettingsError: see `merge_polymorphs`.
    """
    structures = dataset.structures
    formulas = np.asarray(reduced_formulas(structures), dtype=np.str_)
    molecules = np.flatnonzero(~structures.is_formula & ~structures.pbc.any(axis=1))
    if not len(molecules):
        return formulas
    header = next((h for h in dataset.columns if is_of_smiles(h)), None)
    cells = dataset.columns.get(header, ()) if header is not None else ()
    keys = formulas.astype(object)
    unknown = []
    for row in molecules.tolist():
        smiles = _canonical(str(cells[row])) if len(cells) else None
        if smiles is None:
            unknown.append(row)
        else:
            keys[row] = f"SMILES {smiles}"
    for row in unknown:
        others = np.flatnonzero(formulas == formulas[row])
        if len(others) > 1:
            other = int(others[others != row][0])
            raise SettingsError(
                f"{dataset.name}: polymorphs={how} takes the crystals of one formula together, and "
                f"{structures.names[row]} and {structures.names[other]} are molecules, which may "
                "be isomers. Replicates of one molecule are taken together where a column smiles "
                "says what each is; else average them in the table, and leave --polymorphs (in "
                "Python polymorphs) out."
            )
    return np.array(keys.tolist(), dtype=np.str_)


def _canonical(smiles: str) -> str | None:
    """Return the one SMILES of a molecule, with its hand and isotopes; None if it is none."""
    from rdkit import Chem

    from atomlens.structures.smiles import parse_smiles

    molecule = parse_smiles(smiles.strip())
    return None if molecule is None else str(Chem.MolToSmiles(Chem.RemoveHs(molecule)))


def about_shared_formulas(dataset: Dataset) -> str:
    """Return a sentence on formulas that stand in several rows; empty if there are none."""
    _, sizes = np.unique(reduced_formulas(dataset.structures), return_counts=True)
    several = sizes[sizes > 1]
    if not len(several):
        return ""
    return (
        f"{several.sum()} of {len(dataset)} rows share their formula with another row, so that a "
        "random split puts some formulas on both sides. Use --split composition:.8/.1/.1, or "
        '--polymorphs mean (in Python split="composition:.8/.1/.1" or polymorphs="mean").'
    )


def _means(
    values: NDArray[np.float64], group: NDArray[np.int64], n_groups: int
) -> NDArray[np.float64]:
    """(n_groups, n_targets) means of the known values; NaN where none is known."""
    known = np.isfinite(values)
    sums = np.zeros((n_groups, values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, group, np.where(known, values, 0))
    np.add.at(counts, group, known)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _tell(dataset: Dataset, sizes: NDArray[np.int64], how: Polymorphs) -> None:
    several = sizes[sizes > 1]
    if len(several):
        what = "their means are" if how == "mean" else "the row of lowest energy of each is"
        molecules = ~dataset.structures.is_formula & ~dataset.structures.pbc.any(axis=1)
        are = "polymorphs of {n} formulas"
        if molecules.any():
            are = "replicates of {n} molecules" if molecules.all() else "others of {n} materials"
        warn(
            f"{dataset.name}: {several.sum()} rows are {are.format(n=len(several))}; "
            f"{what} kept, {counted(len(sizes), 'row')} in all."
        )
