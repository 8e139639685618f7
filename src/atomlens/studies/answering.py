"""How a study is asked: of structures that are independent, with what is known of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from atomlens.chemistry.bonds import find_bonds
from atomlens.datasets.sampling import keep_rows, one_form_each, sample_rows
from atomlens.errors import StudyError
from atomlens.neighbors.identity import digests_in_given_cells
from atomlens.predictor.judged_data import about_unknown
from atomlens.predictor.samples import UNKNOWN
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Study, StudyInput, StudyResult
from atomlens.studies.controls import refuse_strangers, refuse_twins, unlike
from atomlens.studies.one_target import mixed_attention


def independent(given: StudyInput) -> StudyInput:
    """Return the input with one form of each structure, so that each counts once.

    Ordered models of one disordered crystal, conformers of one molecule and models of one mmCIF are
    no independent observations: one of each is drawn. A note says so.
    """
    data = one_form_each(given.data, given.seed)
    if data is given.data:
        return given
    note = (
        f"{len(given.data)} ordered models or conformers were read of {len(data)} structures; one "
        f"of each was drawn (seed {given.seed}), since those of one structure are not independent."
    )
    return replace(given, data=data, notes=(*given.notes, note))


_MOST_COMPARED = 500
"""Structures whose bonds are looked at, to tell whether they are frames of a trajectory."""
_LEAST_SHARE = 0.1
"""Of frames among them, from which on it is said."""


def once_each(given: StudyInput) -> StudyInput:
    """Return the input with every structure once, whatever it is called, turned or ordered.

    Attention depends on the cell, so a supercell is another structure here.

    Copies would make intervals over structures narrower than what is known. Frames of a trajectory
    (the same atoms in the same order with the same bonds) stay, but a note says what they do to
    intervals.
    """
    structures = given.data.structures
    if len(structures) < 2:
        return given
    _, first = np.unique(digests_in_given_cells(structures), return_index=True)
    notes = given.notes
    data = given.data
    if len(first) < len(structures):
        data = keep_rows(data, np.sort(first).astype(np.int64))
        notes = (
            *notes,
            f"{len(structures)} structures were given, {len(data)} of them different; each counts "
            "once.",
        )
    n_frames, n_asked = _frames(data.structures, given.seed)
    if n_frames > _LEAST_SHARE * n_asked:
        notes = (
            *notes,
            f"{n_frames} of {n_asked} structures have the atoms and bonds of another one, as "
            "frames of a trajectory do: they are not independent, and intervals over structures "
            "are too narrow.",
        )
    return replace(given, data=data, notes=notes)


def _frames(structures: StructureArrays, seed: int) -> tuple[int, int]:
    """Return how many structures have the atoms and bonds of another one, of how many asked."""
    rows = sample_rows(len(structures), _MOST_COMPARED, seed).tolist()
    atoms = Counter(structures[i].atomic_numbers.tobytes() for i in rows)
    alike: Counter[tuple[bytes, bytes]] = Counter()
    for i in rows:
        one = structures[i]
        numbers = one.atomic_numbers.tobytes()
        if atoms[numbers] > 1 and len(one.atomic_numbers) > 1 and not structures.is_formula[i]:
            bonds = find_bonds(one)
            alike[numbers, bonds[np.lexsort(bonds.T)].tobytes()] += 1
    return sum(n for n in alike.values() if n > 1), len(rows)


def answer(study: Study, given: StudyInput) -> StudyResult:
    """Run a study on `independent` structures, and say what is known of each: `about_inputs`.

    A study of attention also says where that is the mean over the targets of a model, and every
    study where a control was not trained as its model was.

    Raises:
        StudyError: a control is given that the study does not ask, or that is of no model; or a
            network is given twice.
    """
    if given.shuffled and not study.takes_shuffled:
        raise StudyError(
            f"{study.name}: shuffled labels are no control of it; leave `shuffled` out."
        )
    if not study.takes_spectra or hasattr(study.settings, "target"):
        refuse_strangers(given.models, given.shuffled, any_target=hasattr(study.settings, "target"))
    refuse_twins(given.models, given.shuffled)
    given = independent(given)
    if study.asks_attention:
        given = once_each(given)
    said = dict.fromkeys(map(mixed_attention, given.models)) if study.asks_attention else ()
    mixed = (words for words in said if words)
    less = unlike(given.models, given.shuffled)
    result = replace(study.run(given), made_by=tuple(m.identity for m in given.models))
    return about_inputs(result, given).noted(*given.notes, *mixed, *less)


def about_inputs(result: StudyResult, given: StudyInput) -> StudyResult:
    """Return the result with what is known of the structures: what readers found, who knows them.

    Table ``inputs``: of each structure that was given its name, the file or text it comes from, its
    formula, number of atoms, in which part of the training of each model it was, what its reader
    found doubtful, and why it could not be used; of what could not be read its name and the reason.
    """
    structures = given.data.structures
    if not len(structures):
        return result
    seen = _labelled([(m.model_name, m.seen_in(structures)) for m in given.models])
    said = structures.warnings or ((),) * len(structures)
    one = len(seen) == 1
    unused = {failure.name: failure.message for failure in result.failures}
    sources = given.data.sources or (given.data.name,) * len(structures)
    rows = [
        {"name": name, "source": sources[i]}
        | {"formula": structures.formula(i), "n_atoms": int(structures.n_atoms[i])}
        | {"seen_in" if one else f"seen_in {m}": parts[i] or None for m, parts in seen.items()}
        | {"warning": "; ".join(said[i]) or None, "problem": unused.get(name)}
        for i, name in enumerate(structures.names)
    ]
    unread = given.data.failures
    rows += [
        dict.fromkeys(rows[0]) | {"name": f.name, "source": f.source or None, "problem": f.message}
        for f in unread
    ]
    doubtful = {n: "; ".join(s) for n, s in zip(structures.names, said, strict=True) if s}
    before = {**given.left_out, **({"could not be read": len(unread)} if unread else {})}
    notes = []
    if doubtful:
        name, first = next(iter(doubtful.items()))
        n = sum(map(bool, said))
        notes.append(f"{n} of {len(said)} structures were read with a warning: {name}: {first}.")
    for (label, parts), model in zip(seen.items(), given.models, strict=True):
        n_unknown = parts.count(UNKNOWN)
        if n_unknown and model.record.samples is not None:  # else it is said before
            notes.append(about_unknown(label, n_unknown, len(parts)))
    return replace(
        result,
        tables={**result.tables, "inputs": rows},
        failures=(*unread, *result.failures),
        counts={**before, **result.counts} if any(before.values()) else result.counts,
        seen_in={m: dict(Counter(part or "none" for part in parts)) for m, parts in seen.items()},
        warnings=doubtful,
        notes=(*notes, *result.notes),
    )


def _labelled(found: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Return what is known by model; equal names get numbers behind them."""
    labelled: dict[str, tuple[str, ...]] = {}
    for name, parts in found:
        label, number = name, 1
        while label in labelled:
            number += 1
            label = f"{name}-{number}"
        labelled[label] = parts
    return labelled
