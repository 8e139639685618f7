"""CIF files as ase.Atoms: one for each data block, model and ordered model.

tags.py reads the tags, sites.py the atom loop, symmetry.py adds the images.
"""

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements.naming import chemical_formula
from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.checks import atoms_overlap, check_cell
from atomlens.structures.cif.cell import CELL_TAGS, vectors
from atomlens.structures.cif.evidence import agrees, is_part_of_a_unit
from atomlens.structures.cif.operations import SymmetryImages
from atomlens.structures.cif.plain import plain_crystal
from atomlens.structures.cif.sites import Sites, with_a_row_for_each_species
from atomlens.structures.cif.space_groups import said_of_symmetry
from atomlens.structures.cif.symmetry import AsymmetricUnit, all_atoms
from atomlens.structures.cif.tags import MAGNETIC, Tags, first_tag, read_tags
from atomlens.structures.cif.values import column, formula_amounts, number
from atomlens.structures.disorder import PartialAtoms, composition_of, is_disordered, models_of
from atomlens.structures.distance_doubts import (
    NM_NOTICE,
    far_fractions,
    impossible_neighbour,
    looks_like_nm,
    no_hydrogen,
)
from atomlens.structures.distances import pairs_within
from atomlens.structures.doubts import Doubt
from atomlens.structures.forms import REFUSE, DisorderChoice
from atomlens.structures.formulas import total_amount
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    OVERLAP_NOTICE,
    Entry,
    add_warning,
    attempt_all,
    decimal_comma,
)

if TYPE_CHECKING:
    from ase import Atoms

_LONGEST_OH = 1.25
"""Å; a hydrogen within it is bound to an oxygen (0.96 Å)."""
_MODEL = "_atom_site_pdbx_pdb_model_num"


def read_cif(text: str, disorder: DisorderChoice = REFUSE) -> list[Entry]:
    """Return the entries of each data block that holds atoms, named by it if there are many.

    A block gives one structure, or one for each model of an mmCIF, or for each ordered model. If
    conformers are asked for, the models of an mmCIF are taken as such and numbered.
    """
    blocks = [(name, _with_component(tags)) for name, tags in read_tags(text)]
    with_atoms = [(name, tags) for name, tags in blocks if _has_atoms(tags)]
    if not with_atoms:
        raise StructureError(
            "the CIF holds no atom positions (no loop with _atom_site_fract_x and its fellows "
            "that has a row); it may be cut off, or hold only a cell or a powder pattern"
        )
    is_cut = not text.endswith(("\n", "\r"))
    entries: list[Entry] = []
    for block, own in with_atoms:
        tags, said = _with_symmetry_of_another(own, blocks)
        for place, (model, part) in enumerate(_models(tags)):
            if place >= disorder.conformers > 1:
                break
            name = block + (f"-model-{model}" if model else "") if len(with_atoms) > 1 else ""
            if not model and not said and (plain := plain_crystal(part)) is not None:
                entries.append(Entry(name, plain))
                continue
            found = attempt_all(name, partial(_build, part, is_cut, disorder), "data block")
            for entry in found if said else ():
                if entry.atoms is not None:
                    add_warning(entry.atoms, said)
            if model and disorder.conformers > 1 and len(found) == 1 and found[0].atoms is not None:
                found[0].atoms.info["conformer"] = place
            entries += found
    return entries


def _with_symmetry_of_another(tags: Tags, blocks: list[tuple[str, Tags]]) -> tuple[Tags, str]:
    """Return the tags with the symmetry that another block gives, if this one says nothing of it.

    Blocks such as ``data_global`` hold what is said of a whole file, and no atoms.
    """
    if len(blocks) == 1 or said_of_symmetry(tags):
        return tags, ""
    others = [(name, more) for name, more in blocks if not _has_atoms(more)]
    found = [(name, given) for name, more in others if (given := said_of_symmetry(more))]
    if len(found) != 1:
        return tags, ""
    name, given = found[0]
    return {
        **tags,
        **given,
    }, f"its symmetry was taken from the data block {short(name or 'global_')}"


def _has_atoms(tags: Tags) -> bool:
    return bool(column(tags, "_atom_site_fract_x", "_atom_site_cartn_x"))


def _with_component(tags: Tags) -> Tags:
    """Give the atoms of a chemical component, such as a ligand of the PDB, as atoms of a molecule.

    Dictionaries of components (wwPDB, CCP4) have tags of their own for them: ideal coordinates,
    or those of a model where an ideal one is missing.
    """
    if _has_atoms(tags) or len(set(column(tags, "_chem_comp_atom_comp_id"))) > 1:
        return tags
    for place in ("pdbx_model_cartn_{}_ideal", "model_cartn_{}", "{}"):
        found = [column(tags, f"_chem_comp_atom_{place.format(axis)}") for axis in "xyz"]
        if found[0] and all(number(value) is not None for one in found for value in one):
            break
    else:
        return tags
    sites = {f"_atom_site_cartn_{axis}": one for axis, one in zip("xyz", found, strict=True)}
    for ours, theirs in (("type_symbol", "type_symbol"), ("label", "atom_id")):
        if values := column(tags, f"_chem_comp_atom_{theirs}"):
            sites[f"_atom_site_{ours}"] = values
    formula = column(tags, "_chem_comp_formula")
    said = {"_chemical_formula_sum": formula[0]} if len(formula) == 1 else {}
    return {**said, **sites}


def _models(tags: Tags) -> Iterator[tuple[str, Tags]]:
    """Yield number and tags of each model of an mmCIF; other files are one without a number."""
    numbers = [str(x) for x in column(tags, _MODEL)]
    names = list(dict.fromkeys(numbers))
    if len(names) < 2:
        yield "", tags
        return
    for name in names:
        rows = [i for i, one in enumerate(numbers) if one == name]
        yield (
            name,
            {
                tag: [value[i] for i in rows] if _is_of_atoms(tag, value, len(numbers)) else value
                for tag, value in tags.items()
            },
        )


def _is_of_atoms(tag: str, value: Any, n: int) -> bool:
    return tag.startswith("_atom_site_") and isinstance(value, list) and len(value) == n


def _build(tags: Tags, is_cut: bool, disorder: DisorderChoice) -> "list[Atoms]":
    """Return the structure of a data block, or its ordered models."""
    _refuse_modulated(tags)
    tags = with_a_row_for_each_species(tags)
    sites, cell, doubts = Sites(tags), _cell(tags), []
    if cell is None and sites.axes == "fract":
        raise StructureError(
            "the CIF has fractional coordinates but no cell (_cell_length_a and its fellows); "
            "add the cell"
        )
    if cell is not None and _is_dummy(cell):
        if sites.axes == "fract":
            doubts.append("a cell of 1 Å is none; the coordinates were taken as Å of a molecule")
        cell = None
    places = sites.coordinates if cell is None else sites.fractional(cell)
    kept, shares = sites.occupied(places)
    in_part = np.flatnonzero(shares < 1)
    if disorder.how == "refuse" and len(in_part) and not disorder.takes_compositions:
        first = int(in_part[0])
        raise StructureError(
            sites.disorder_message(int(kept[first]), float(shares[first]), places, cell)
        )
    images = SymmetryImages(places[kept], np.arange(len(kept)), np.zeros(len(kept), dtype=int))
    if cell is not None:
        images, found = all_atoms(_listed(tags, sites, kept, shares, cell))
        doubts += found + _volume_doubts(tags, cell) + _solvent_doubts(tags)
        far = far_fractions(sites.coordinates[kept]) if sites.axes == "fract" else ""
        axes = sites.odd_axes()
        doubts += [said for said in (sites.other_coordinates(cell), far, axes) if said]
    whole = _atoms(sites, kept, images, cell)
    for doubt in (*sites.doubts, *doubts, *_modulation_doubts(tags), *_copies_left_out(tags)):
        add_warning(whole, doubt)
    shared = PartialAtoms(
        whole.numbers,
        whole.positions,
        cell,
        shares[images.sites],
        images.sites,
        images.operations,
        [sites.groups[kept[i]] for i in images.sites],
    )
    guessed = sites.guessed[kept][images.sites]
    if not is_disordered(shared):
        alternatives = sorted({group[1] for group in shared.groups if group and not group[0]})
        if len(alternatives) > 1:
            add_warning(
                whole,
                f"its disorder groups {' and '.join(alternatives)} have no shares below 1, so all "
                "of their atoms were taken; if they exclude each other, give occupancies",
            )
        return [_finished(whole, guessed, tags, sites, kept[images.sites], is_cut)]
    if disorder.takes_compositions and len(in_part):
        found_formula = composition_of(whole, shared)
        if found_formula is not None:
            return [found_formula]
    if disorder.how == "refuse":
        grouped = [i for i in range(len(kept)) if sites.groups[kept[i]] is not None]
        group = [*in_part.tolist(), *grouped][0]
        raise StructureError(
            sites.disorder_message(int(kept[group]), float(shares[group]), places, cell)
        )
    return [
        _finished(atoms, guessed[own], None, sites, kept[images.sites[own]], is_cut)
        for atoms, own in models_of(whole, shared, disorder)
    ]


def _listed(
    tags: Tags,
    sites: Sites,
    kept: NDArray[np.int_],
    shares: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> AsymmetricUnit:
    is_magnetic = first_tag(tags, MAGNETIC) != ""
    multiplicities = None if is_magnetic else sites.multiplicities()  # else those of the parent
    return AsymmetricUnit(
        tags,
        [sites.symbols[i] for i in kept],
        sites.fractional(cell)[kept],
        lambda: sites.rounding()[kept],
        None if multiplicities is None else multiplicities[kept],
        shares,
        cell,
    )


def _atoms(
    sites: Sites, kept: NDArray[np.int_], images: SymmetryImages, cell: NDArray[np.float64] | None
) -> "Atoms":
    from ase import Atoms

    symbols = [sites.symbols[kept[i]] for i in images.sites]
    charges = sites.charges()
    given = None if charges is None else charges[kept][images.sites]
    if cell is None:
        return Atoms(symbols, positions=images.positions, charges=given)
    return Atoms(symbols, scaled_positions=images.positions, cell=cell, pbc=True, charges=given)


def _finished(
    atoms: "Atoms",
    guessed: NDArray[np.bool_],
    tags: Tags | None,
    sites: Sites,
    rows: NDArray[np.int_],
    is_cut: bool,
) -> "Atoms":
    """Add what there is to say of the atoms; ``tags`` is None where the formula is another."""
    if sites.has_deuterium:
        add_warning(atoms, DEUTERIUM_NOTICE)
    named = sites.named_hydrogens[rows]
    absent = float(sites.hydrogens[rows].sum() + named[_without_hydrogen(atoms, named > 0)].sum())
    if absent:
        add_warning(
            atoms,
            Doubt(
                f"{absent:g} hydrogens that belong to its atoms have no position in the file and "
                "are missing",
                "hydrogens",
            ),
        )
    tritium = {i for i in range(len(atoms)) if sites.is_called_t[rows[i]]}
    if tritium and (found := no_hydrogen(atoms, tritium)) is not None:
        i, said = found
        raise StructureError(
            f"{sites.name(sites.rows[rows[i]])}: 'T' is not an element here, since {said}; correct "
            "_atom_site_type_symbol or remove the atom"
        )
    if atoms_overlap(atoms):
        add_warning(atoms, NM_NOTICE if looks_like_nm(atoms) else OVERLAP_NOTICE)
    elif guessed.any():
        found = impossible_neighbour(atoms, np.flatnonzero(guessed))
        if found is not None:
            i, said = found
            raise StructureError(
                f"{sites.name(sites.rows[rows[i]])} reads as {atoms.symbols[i]}, but {said}; add "
                "the column _atom_site_type_symbol"
            )
    if tags is not None:
        _compare_with_formula(atoms, tags, is_cut, absent)
    return atoms


def _without_hydrogen(atoms: "Atoms", which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n_atoms,) those of some atoms to which no hydrogen is bound."""
    if not which.any() or not (atoms.numbers == 1).any():
        return which
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    pairs = pairs_within(atoms.positions, cell, pbc, _LONGEST_OH)
    bound = np.zeros(len(atoms), dtype=bool)
    for one, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        bound[one[atoms.numbers[other] == 1]] = True
    return which & ~bound


_WAVES = re.compile(r"^_atom_site_(occ_special_func|occ_fourier).*", re.MULTILINE)
_MODULATED = re.compile(
    r"^(_atom_site_displace_(fourier|special_func)|_cell_wave_vector_|.*_ssg_)", re.MULTILINE
)


def _refuse_modulated(tags: Tags) -> None:
    """Refuse structures of which the listed atoms are no average that could be used."""
    subsystems = number(*column(tags, "_cell_subsystems_number")[:1])
    if subsystems is not None and subsystems > 1:
        raise StructureError(
            f"it is a composite of {subsystems:g} crystals with cells of their own; give an "
            "approximant in one cell"
        )
    waves = first_tag(tags, _WAVES)
    if waves:
        raise StructureError(
            f"the occupancies of its atoms are modulated ({waves}); give an approximant in a "
            "commensurate cell"
        )


def _modulation_doubts(tags: Tags) -> list[str]:
    dimension = number(*column(tags, "_cell_modulation_dimension")[:1])
    if not dimension and not first_tag(tags, _MODULATED):
        return []
    return ["the crystal is modulated; its average structure was taken"]


def _volume_doubts(tags: Tags, cell: NDArray[np.float64]) -> list[str]:
    said, ours = number(*column(tags, "_cell_volume")[:1]), float(abs(np.linalg.det(cell)))
    if said is None or said <= 0 or abs(said - ours) < 0.02 * ours:
        return []
    both = f"_cell_volume is {said:g} Å3, but the cell's lengths and angles make {ours:.6g} Å3"
    if not 0.8 < said / ours < 1.25:
        raise StructureError(f"{both}; correct the one that is wrong (lengths must be in Å)")
    return [f"{both}; the lengths and angles were taken"]


def _solvent_doubts(tags: Tags) -> list[str]:
    """Say how many electrons were taken out of the data as solvent, so that no atom has them."""
    for tag in ("_platon_squeeze_void_count_electrons", "_smtbx_masks_void_count_electrons"):
        electrons = [number(x) or 0.0 for x in column(tags, tag)]
        if sum(electrons) >= 1:
            return [
                f"{sum(electrons):g} electrons of solvent in its voids have no atoms in the file "
                f"({tag}) and are missing"
            ]
    return []


def _copies_left_out(tags: Tags) -> list[str]:
    """Say how many copies of the atoms an mmCIF leaves to operations other than those of a group.

    Capsids list one unit of many (``_struct_ncs_oper.code generate``).
    """
    n = sum(str(code).lower() == "generate" for code in column(tags, "_struct_ncs_oper_code"))
    if not n:
        return []
    return [
        f"{n} copies of its atoms, to be made by operations of its own (_struct_ncs_oper), are not "
        "in the file and are missing"
    ]


def _is_dummy(cell: NDArray[np.float64]) -> bool:
    """Say whether a cell only stands in for none, as the cube of 1 Å does in entries of NMR."""
    return abs(float(cell[0, 0]) - 1) < 1e-3 and bool(np.allclose(cell, np.eye(3), atol=1e-6))


def _has_cartesian(tags: Tags) -> bool:
    return not column(tags, "_atom_site_fract_x")


def _cell(tags: Tags) -> NDArray[np.float64] | None:
    """(3, 3) lattice vectors in Å, the first along x; None where the file has no cell."""
    found = [column(tags, tag) for tag in CELL_TAGS]
    for tag, several in zip(CELL_TAGS, found, strict=True):
        if len({number(value) for value in several}) > 1:
            raise StructureError(
                f"{tag} has {len(several)} values ({', '.join(map(str, several[:3]))}); leave one "
                "cell"
            )
    values = [number(*values[:1]) for values in found]
    if not any(values) or (not any(values[:3]) and _has_cartesian(tags)):
        return None
    missing = [tag for tag, value in zip(CELL_TAGS, values, strict=True) if value is None]
    if missing:
        advice = decimal_comma(str(*column(tags, missing[0])[:1])) or "complete the cell"
        raise StructureError(f"{missing[0]} is missing or not a number; {advice}")
    negative = next(
        (t for t, v in zip(CELL_TAGS, values, strict=True) if v is not None and v <= 0), ""
    )
    if negative:
        raise StructureError(f"{negative} is not above zero; correct the cell")
    cell = vectors(*(float(value or 0.0) for value in values))
    if not np.isfinite(cell).all():
        shown = ", ".join(f"{value:g}" for value in values if value is not None)
        raise StructureError(f"lengths and angles {shown} do not form a cell; correct them")
    check_cell(cell, np.ones(3, dtype=bool))
    return cell


def _compare_with_formula(atoms: "Atoms", tags: Tags, is_cut: bool, absent: float) -> None:
    """Refuse a file that breaks off after part of its atoms; mention a mismatch otherwise."""
    amounts, symbols = formula_amounts(tags), atoms.get_chemical_symbols()
    if not amounts or agrees(Counter(symbols), amounts):
        if is_part_of_a_unit(len(atoms), amounts, tags):
            n_formula = total_amount(amounts.values())
            add_warning(
                atoms,
                f"its sum formula has {n_formula:g} atoms and the cell only {len(atoms)}, less "
                "than one formula unit; symmetry or atoms may be missing",
            )
        return
    if is_cut:
        raise StructureError(
            f"its atoms are {chemical_formula(atoms.numbers)}, its sum formula is another one, and "
            "its last line has no end, so the file is cut off; get a complete copy"
        )
    shown = " ".join(f"{s}{float(n):g}" if n != 1 else s for s, n in amounts.items())
    heavy = {s: n for s, n in amounts.items() if s != "H"}
    n_hydrogen, listed = amounts.get("H", Fraction(0)), symbols.count("H")
    if heavy and n_hydrogen and agrees(Counter(s for s in symbols if s != "H"), heavy):
        n_units = (len(symbols) - listed) / float(sum(heavy.values()))
        said = n_units * float(n_hydrogen)
        if said > listed:
            if not absent:
                add_warning(
                    atoms,
                    Doubt(
                        f"{said - listed:g} of the {said:g} hydrogens of the sum formula ({shown}) "
                        "have no position in the file and are missing",
                        "hydrogens",
                    ),
                )
            return
    others = sorted(set(symbols) - set(amounts))
    advice = f"that has no {' and no '.join(others)}" if others else "some may be missing"
    add_warning(
        atoms, f"the atoms do not agree with the sum formula ({shown}) of the CIF; {advice}"
    )
