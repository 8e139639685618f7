"""The inputs of a call as structures and graphs; what cannot be used keeps its place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.packed import load_packed
from atomlens.datasets.tables.frames import index_of_rows
from atomlens.elements import SYMBOLS
from atomlens.errors import Failure, GraphError
from atomlens.graphs import GraphStore
from atomlens.models.base import PropertyModel
from atomlens.neighbors.base import GraphBuilder
from atomlens.predictor.inputs.rows import InputRow, is_packed, own_source, read_rows, stream_rows
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.structures.forms import form_of
from atomlens.structures.options import AS_IT_IS, ReadingOptions

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from atomlens.chemistry.boxes import Near


TOGETHER = 512
"""Structures that are read and predicted at a time where there are many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All inputs of a call: the usable ones as arrays, the others with the reason."""

    structures: StructureArrays
    """The usable structures."""
    places: NDArray[np.int64]
    """(n_usable,) place of each usable structure among all inputs, ascending."""
    names: tuple[str, ...]
    """Of all inputs."""
    errors: tuple[str, ...]
    """Of all inputs; empty for the usable ones."""
    carried: tuple[dict[str, Any], ...] = ()
    """Of all inputs: the cells of the table that each came from. Empty if there is no table."""
    forms: tuple[int, ...] = ()
    """Of all inputs: which ordered model or conformer of its structure it is, counted from 0; -1
    for others. Empty if there is none."""
    is_conformer: tuple[bool, ...] = ()
    """Of all inputs: True for conformers. Empty as `forms`."""
    whole_formulas: tuple[str, ...] = ()
    """Of all inputs: the formula of the crystal that an ordered model is of. Empty for none."""
    sources: tuple[str, ...] = ()
    """Of all inputs: path of the file, or the text, that each came from; empty for objects. Empty
    if nobody knows."""
    index: "pd.Index | None" = None
    """Of all inputs: the labels of the Series or DataFrame that they came from. None without."""
    remarks: tuple[str, ...] = ()
    """Of the usable ones: what was done to it, or should be, before a model sees it. Empty if there
    is nothing to say of any."""
    beyond: NDArray[np.bool_] | None = None
    """(n_usable,) whose atoms stand so that nothing is known of errors. None: nobody has looked."""
    cut_shell: NDArray[np.bool_] | None = None
    """(n_usable,) see `graphs.FIELDS`. None: graphs do not say."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that cannot be used, with the reason."""
        pairs = zip(self.names, self.errors, strict=True)
        return tuple(Failure(name=name, message=error) for name, error in pairs if error)

    def without(self, bad: Sequence[int], messages: Sequence[str]) -> "Inputs":
        """Return the inputs after some of the usable ones (by number) turned out not to be."""
        errors = list(self.errors)
        for index, message in zip(bad, messages, strict=True):
            errors[int(self.places[index])] = message
        kept = np.setdiff1d(np.arange(len(self.structures)), np.asarray(bad, dtype=np.int64))
        return replace(
            self,
            structures=self.structures.subset(kept),
            places=self.places[kept],
            errors=tuple(errors),
            remarks=tuple(self.remarks[i] for i in kept.tolist()) if self.remarks else (),
            beyond=None if self.beyond is None else self.beyond[kept],
            cut_shell=None if self.cut_shell is None else self.cut_shell[kept],
        )


def gather(given: Any, options: ReadingOptions = AS_IT_IS) -> Inputs:
    """Return the inputs for one or many of: Atoms, pymatgen, rdkit, text, path, table, arrays.

    Args:
        given: Anything that can be read. A table gives one input a row.
        options: How it is read.
    """
    if isinstance(given, Inputs):
        return given
    if isinstance(given, StructureArrays):
        n = len(given)
        return Inputs(structures=given, places=np.arange(n), names=given.names, errors=("",) * n)
    if isinstance(given, Structure):
        return from_items([given])
    one = given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
    if is_packed(one):
        structures = load_packed(Path(one).expanduser()).structures
        return replace(gather(structures), sources=(str(one),) * len(structures))
    return inputs_of(read_rows(given, options), index_of(given))


def index_of(given: Any) -> "pd.Index | None":
    """Return what a Series, a DataFrame or a data set made of one calls its rows; else None."""
    if isinstance(given, Dataset):
        return given.index
    return index_of_rows(given)


def stream_inputs(
    given: Any, options: ReadingOptions = AS_IT_IS, *, together: int = TOGETHER
) -> Iterator[Inputs]:
    """Yield the inputs of a call some hundred at a time, so that any number fits into memory.

    The ordered models of one crystal stay together. See `gather` for the arguments, and
    `atomlens.structures.stream_structures` for the names.

    Args:
        given: As in `gather`.
        options: As in `gather`.
        together: Structures in each part.
    """
    waiting: list[InputRow] = []
    index = index_of(given)
    for rows in stream_rows(given, options):
        waiting += rows
        while len(waiting) > together:
            n = together
            while n < len(waiting) and _goes_on(waiting[n].item):
                n += 1
            if n == len(waiting):  # the next one may go on with the last crystal
                break
            yield inputs_of(waiting[:n], index)
            del waiting[:n]
    if waiting:
        yield inputs_of(waiting, index)


def _goes_on(item: "Atoms | Structure | Failure") -> bool:
    """Say whether an item is another form of the structure before it."""
    if isinstance(item, Failure | Structure):
        return False
    return form_of(item) > 0


def inputs_of(rows: Sequence[InputRow], index: "pd.Index | None" = None) -> Inputs:
    """Return the inputs for rows in order; ``index`` is that of what all of them came from."""
    carried = tuple(row.cells for row in rows)
    places = [row.place for row in rows]
    return replace(
        from_items([row.item for row in rows]),
        carried=carried if any(carried) else (),
        sources=tuple(row.source for row in rows),
        index=None if index is None or min(places, default=-1) < 0 else index.take(places),
    )


def from_items(items: "Sequence[Atoms | Structure | Failure]") -> Inputs:
    """Return the inputs for structures and failures in order."""
    structures: list[Structure] = []
    places, names, errors, forms, conformers, formulas = [], [], [], [], [], []
    for place, item in enumerate(items):
        if isinstance(item, Failure | Structure):
            forms.append(-1)
            conformers.append(False)
            formulas.append("")
        else:
            forms.append(form_of(item))
            conformers.append("ordered_model" not in item.info)
            formulas.append(str(item.info.get("disordered_formula", "")))
        if isinstance(item, Failure):
            names.append(item.name)
            errors.append(item.message)
            continue
        structure = item if isinstance(item, Structure) else structure_of(item)
        structures.append(structure)
        places.append(place)
        names.append(structure.name)
        errors.append("")
    return Inputs(
        sources=tuple(map(own_source, items)),
        structures=StructureArrays.from_structures(structures),
        places=np.array(places, dtype=np.int64),
        names=tuple(names),
        errors=tuple(errors),
        forms=tuple(forms) if max(forms, default=-1) >= 0 else (),
        is_conformer=tuple(conformers) if max(forms, default=-1) >= 0 else (),
        whole_formulas=tuple(formulas) if any(formulas) else (),
    )


def refuse_elements(inputs: Inputs, model: PropertyModel) -> Inputs:
    """Return the inputs without structures whose elements the model has no vector for."""
    known = model.knows_elements().numpy()
    n_elements = len(known)
    numbers = np.unique(inputs.structures.atomic_numbers)
    if numbers.max(initial=0) < n_elements and known[numbers].all():
        return inputs
    bad, messages = [], []
    for index, structure in enumerate(inputs.structures):
        beyond = np.unique(structure.atomic_numbers[structure.atomic_numbers >= n_elements])
        if len(beyond):
            symbols = ", ".join(SYMBOLS[z] if z < len(SYMBOLS) else f"Z={z}" for z in beyond)
            bad.append(index)
            messages.append(
                f"{structure.name}: the model has never heard of {symbols}; its table ends at "
                f"{SYMBOLS[min(n_elements, len(SYMBOLS)) - 1]}. Train a model on data with it."
            )
        elif not known[structure.atomic_numbers].all():
            numbers = np.unique(structure.atomic_numbers)
            symbols = ", ".join(SYMBOLS[z] for z in numbers if not known[z])
            bad.append(index)
            messages.append(
                f"{structure.name}: the model's table of element vectors has none for {symbols}. "
                "Train a model with another table (--set model.element_vectors=NAME, in Python "
                'model_settings={"element_vectors": "NAME"}).'
            )
    return inputs.without(bad, messages) if bad else inputs


_MANY_PERIODIC = 20
"""From so many on the compiled search for neighbours pays, though it may have to be compiled."""


def pairs_within(structure: Structure, radii: NDArray[np.float64]) -> "Near | None":
    """Return the pairs that `without_box` asks for, a tenth as dear as it finds them by itself.

    Args:
        structure: One that repeats in some direction.
        radii: (n_atoms,) Å; twice the largest is how far is looked.
    """
    from atomlens.chemistry.boxes import Near
    from atomlens.neighbors.radius import RadiusBuilder

    try:
        found = RadiusBuilder(cutoff=2 * float(radii.max())).edges(structure)
    except GraphError:  # it has its own words for what is wrong
        return None
    return Near(found.target, found.source, found.distances, found.images)


def without_boxes(inputs: Inputs, reach: float) -> Inputs:
    """Return the inputs with molecules in periodic boxes as molecules; remarks say of which.

    Args:
        inputs: What a model of molecules is asked about.
        reach: Å; see `atomlens.chemistry.boxes.without_box`.
    """
    from atomlens.chemistry.boxes import without_box

    given = inputs.structures
    periodic = np.flatnonzero(given.pbc.any(axis=1) & ~given.is_formula)
    if len(periodic) < _MANY_PERIODIC:
        found = {index: without_box(given[index], reach) for index in periodic.tolist()}
    else:
        found = dict(_of_many(given, periodic, reach))
    remarks = [found[index][1] if index in found else "" for index in range(len(given))]
    if not any(remarks):  # as of crystals, the most of what repeats: nothing to lay out anew
        return inputs
    structures = [found[index][0] if remarks[index] else one for index, one in enumerate(given)]
    return replace(
        inputs, structures=StructureArrays.from_structures(structures), remarks=tuple(remarks)
    )


def _of_many(
    given: StructureArrays, periodic: NDArray[np.int64], reach: float
) -> Iterator[tuple[int, tuple[Structure, str]]]:
    """Yield what `without_box` returns of those that bonds do not plainly make endless."""
    from atomlens.chemistry.boxes import bonded_radii, touching_radii, without_box
    from atomlens.neighbors.endless import plainly_endless

    chosen = given.subset(periodic)
    bonded = plainly_endless(chosen, bonded_radii(chosen.atomic_numbers, reach))
    rest = given.subset(periodic[~bonded])
    dense = plainly_endless(rest, touching_radii(rest.atomic_numbers, reach))
    for index, structure, is_dense in zip(periodic[~bonded].tolist(), rest, dense, strict=True):
        radii = (bonded_radii if is_dense else touching_radii)(structure.atomic_numbers, reach)
        near = pairs_within(structure, radii)
        yield index, without_box(structure, reach, near, is_dense=bool(is_dense))


def build_graphs(
    inputs: Inputs,
    builder: GraphBuilder,
    *,
    n_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Inputs, GraphStore | None]:
    """Return the graphs of the usable structures, and the inputs without those that have none.

    ``n_workers`` and ``progress`` as of `atomlens.neighbors.build_store`; None in the place
    of graphs where there are none.
    """
    from atomlens.neighbors import build_store

    if not len(inputs.structures):
        return inputs, None
    try:
        result = build_store(inputs.structures, builder, n_workers=n_workers, progress=progress)
    except GraphError:  # not one has a graph: say of each why
        reasons = [_reason(structure, builder) for structure in inputs.structures]
        return inputs.without(range(len(reasons)), reasons), None
    if len(result.kept) == len(inputs.structures):
        return inputs, result.store
    bad = np.setdiff1d(np.arange(len(inputs.structures)), result.kept)
    messages = [failure.message for failure in result.failures]
    return inputs.without(bad.tolist(), messages), result.store


def _reason(structure: Structure, builder: GraphBuilder) -> str:
    try:
        builder.build_structure(structure)
    except GraphError as problem:
        return str(problem)
    return f"{structure.name}: no neighbours were found; check the structure."
