"""Ordered models of a disordered crystal: of atoms that share places or are there in part.

Atoms that go together (a disorder group, or one atom of no group) are a unit. Units that
cannot be there at once, since they overlap or are groups of one assembly, are alternatives.
Each set of alternatives takes what its occupancies add up to; see
``docs/decisions/0017-disorder-by-choice.md``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import SettingsError, unknown_name

if TYPE_CHECKING:
    from ase import Atoms

Disorder = Literal["refuse", "majority", "enumerate"]
"""What to do with a disordered crystal."""

N_MODELS = 8
"""Ordered models that ``enumerate`` makes at most, unless asked for another number."""

_SEED = 20240229
_OVERLAP = 0.75
"""Atoms nearer than this many sums of covalent radii exclude each other."""
_BONDED = 1.2
"""The same for atoms of different groups, which never bond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisorderChoice:
    """How what can be several things is read: disorder, flexible molecules, ambiguous texts."""

    how: Disorder = "refuse"
    """``refuse``; ``majority``: the species or group of the largest occupancy; ``enumerate``: up
    to `n_models` ordered models, drawn by the occupancies"""
    n_models: int = N_MODELS
    """Ordered models of ``enumerate``, at most"""
    conformers: int = 1
    """Shapes made of each SMILES, and models taken of an mmCIF, at most, if more than 1; they
    stand for one structure"""
    formulas_first: bool = False
    """A text that is a SMILES and a formula, such as ``BN``, is taken for the formula"""

    def __post_init__(self) -> None:
        if self.how not in get_args(Disorder):
            raise SettingsError(unknown_name("way to treat disorder", self.how, get_args(Disorder)))
        if not 1 <= self.n_models <= 1000:
            raise SettingsError(
                f"{self.n_models} ordered models cannot be made; give a number from 1 to 1000."
            )
        if not 1 <= self.conformers <= 1000:
            raise SettingsError(
                f"{self.conformers} conformers cannot be made; give a number from 1 to 1000."
            )


REFUSE = DisorderChoice()


def form_of(atoms: "Atoms") -> int:
    """Return which ordered model or conformer of its structure this is, from 0; -1 for others."""
    number = atoms.info.get("ordered_model", atoms.info.get("conformer", -1))
    return number if isinstance(number, int) else -1


def name_of_forms(names: Sequence[str]) -> str:
    """Return the name of a structure from those of its forms, ``x-0000`` or ``x`` and ``x-2``."""
    if len(names) < 2 or names[1] in (names[0], f"{names[0]}-2"):
        return names[0]
    return re.sub(r"-(\d{4}|model-\w+)$", "", names[0])


class PartialAtoms(NamedTuple):
    """All atoms of a cell, those that are there in part included."""

    numbers: NDArray[np.int_]
    """(n_atoms,)"""
    positions: NDArray[np.float64]
    """(n_atoms, 3) Å"""
    cell: NDArray[np.float64] | None
    """(3, 3) Å; None for a molecule"""
    occupancies: NDArray[np.float64]
    """(n_atoms,) share of the cells in which the atom is there"""
    sites: NDArray[np.int_]
    """(n_atoms,) the listed site that each comes from"""
    images: NDArray[np.int_]
    """(n_atoms,) the symmetry operation that made it"""
    groups: Sequence[tuple[str, str] | None]
    """(n_atoms,) assembly and group of each; None for an atom that belongs to none"""
    kinds: NDArray[np.int_] | None = None
    """(n_atoms,) the same for atoms of sites that stand for one another; by default their sites"""


class OrderedModel(NamedTuple):
    """One choice of atoms that can all be there."""

    kept: NDArray[np.int_]
    """Indices of the atoms that are there"""
    said: str
    """What was taken, as one sentence"""


def is_disordered(atoms: PartialAtoms) -> bool:
    """Say whether some atoms are there in part, or exclude each other by their groups."""
    if (atoms.occupancies < 1).any():
        return True
    if len({group for group in atoms.groups if group is not None}) < 2:
        return False
    units = _units(atoms)
    return bool(_conflicts(atoms, units).any())


def ordered_models(atoms: PartialAtoms, choice: DisorderChoice) -> list[OrderedModel]:
    """Return ordered models of a disordered cell: one by majority, or several that differ."""
    units = _units(atoms)
    clusters = _clusters(atoms, units)
    full = np.flatnonzero(units == -1)
    if choice.how == "majority":
        kept = np.concatenate([full, *(_atoms_of(units, c.majority()) for c in clusters)])
        return [_model(atoms, kept, "the majority of each place was taken")]
    rng = np.random.default_rng(_SEED)
    found: dict[bytes, NDArray[np.int_]] = {}
    for _ in range(20 * choice.n_models):
        chosen = _drawn(clusters, rng)
        kept = np.sort(np.concatenate([full, *(_atoms_of(units, c) for c in chosen)]))
        found.setdefault(kept.tobytes(), kept)
        if len(found) == choice.n_models:
            break
    n = len(found)
    return [
        _model(atoms, kept, f"ordered model {i + 1} of {n}, drawn by the occupancies")
        for i, kept in enumerate(found.values())
    ]


def models_of(
    whole: "Atoms", atoms: PartialAtoms, choice: DisorderChoice
) -> "list[tuple[Atoms, NDArray[np.int_]]]":
    """Return ordered models as ase.Atoms, and the atoms that each keeps.

    What was taken is among the warnings of each.

    ``info["disorder"]`` says how; the models of ``enumerate`` are numbered by
    ``info["ordered_model"]``, counted from 0.
    """
    from atomlens.structures.records import add_warning

    models = []
    for i, model in enumerate(ordered_models(atoms, choice)):
        one = whole[model.kept]
        one.info = {"warnings": list(whole.info.get("warnings", [])), "disorder": choice.how}
        if choice.how == "enumerate":
            one.info["ordered_model"] = i
        add_warning(one, model.said)
        models.append((one, model.kept))
    return models


def _model(atoms: PartialAtoms, kept: NDArray[np.int_], what: str) -> OrderedModel:
    kept = np.sort(kept)
    before = _formula(atoms.numbers, atoms.occupancies)
    after = _formula(atoms.numbers[kept], np.ones(len(kept)))
    change = "" if before == after else f": {after} for {before}"
    return OrderedModel(kept, f"the structure is disordered; {what}{change}")


def _formula(numbers: NDArray[np.int_], weights: NDArray[np.float64]) -> str:
    amounts = {int(z): float(weights[numbers == z].sum()) for z in np.unique(numbers)}
    shown = sorted((SYMBOLS[z], n) for z, n in amounts.items() if n > 0)
    return " ".join(f"{s}{n:.4g}" if abs(n - 1) > 1e-6 else s for s, n in shown)


def _units(atoms: PartialAtoms) -> NDArray[np.int_]:
    """(n_atoms,) the unit of each atom; -1 for atoms that are always there."""
    keys: dict[object, int] = {}
    units = np.full(len(atoms.numbers), -1)
    for i, group in enumerate(atoms.groups):
        if group is not None:
            occupancy = round(float(atoms.occupancies[i]), 2)
            key: object = (group, occupancy, int(atoms.images[i]))
        elif atoms.occupancies[i] < 1:
            key = i
        else:
            continue
        units[i] = keys.setdefault(key, len(keys))
    return units


def _conflicts(atoms: PartialAtoms, units: NDArray[np.int_]) -> NDArray[np.bool_]:
    """(n_units, n_units) True for units that cannot be there at once."""
    n = int(units.max(initial=-1)) + 1
    excluded = np.zeros((n, n), dtype=bool)
    members = np.flatnonzero(units >= 0)
    if not len(members):
        return excluded
    first, second, ratios = _near_pairs(atoms, members)
    for i, j, ratio in zip(first.tolist(), second.tolist(), ratios.tolist(), strict=True):
        a, b = units[i], units[j]
        if a == b:
            continue
        one, two = atoms.groups[i], atoms.groups[j]
        apart = one is not None and two is not None and (one != two or one[1].startswith("-"))
        if ratio < (_BONDED if apart else _OVERLAP):
            excluded[a, b] = excluded[b, a] = True
    by_assembly: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for i in members.tolist():
        group = atoms.groups[i]
        if group is not None and group[0]:
            image = int(atoms.images[i])
            by_assembly.setdefault((group[0], image), set()).add((group[1], int(units[i])))
    for alternatives in by_assembly.values():
        for group_a, a in alternatives:
            for group_b, b in alternatives:
                if group_a != group_b:
                    excluded[a, b] = True
    return excluded


def _near_pairs(
    atoms: PartialAtoms, members: NDArray[np.int_]
) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.float64]]:
    """Return pairs of atoms, and their distance in sums of covalent radii."""
    from ase.data import covalent_radii

    from atomlens.structures.checks import pairs_within

    radii = covalent_radii[atoms.numbers[members]]
    reach = _BONDED * 2 * float(radii.max())
    pbc = np.full(3, atoms.cell is not None)
    cell = np.zeros((3, 3)) if atoms.cell is None else atoms.cell
    pairs = pairs_within(atoms.positions[members], cell, pbc, reach)
    sums = radii[pairs.first] + radii[pairs.second]
    return members[pairs.first], members[pairs.second], pairs.distances / sums


class _Cluster(NamedTuple):
    """Units of which some exclude others."""

    units: NDArray[np.int_]
    occupancies: NDArray[np.float64]
    """(n_units,)"""
    excluded: NDArray[np.bool_]
    """(n_units, n_units)"""
    kind: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    """Sites and elements of its units: clusters of one kind stand for one another."""

    def majority(self) -> NDArray[np.int_]:
        """Return the units of the largest occupancies that can be there together."""
        return self._taken(np.argsort(-self.occupancies, kind="stable"), self._wanted())

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int_]:
        """Return units that can be there together, drawn by their occupancies."""
        total = float(self.occupancies.sum())
        wanted = int(total) + int(rng.random() < total - int(total))
        weights = np.maximum(self.occupancies, 1e-9)
        order = np.argsort(rng.exponential(size=len(self.units)) / weights)
        return self._taken(order, wanted)

    def excludes_all(self) -> bool:
        """Say whether at most one of the units can be there."""
        return bool((self.excluded | np.eye(len(self.units), dtype=bool)).all())

    def _wanted(self) -> int:
        return int(float(self.occupancies.sum()) + 0.5 + 1e-6)

    def _taken(self, order: NDArray[np.int_], wanted: int) -> NDArray[np.int_]:
        taken: list[int] = []
        for k in order.tolist():
            if len(taken) < wanted and not self.excluded[k, taken].any():
                taken.append(k)
        return np.asarray(self.units[np.array(taken, dtype=int)])


def _clusters(atoms: PartialAtoms, units: NDArray[np.int_]) -> list[_Cluster]:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    excluded = _conflicts(atoms, units)
    n = len(excluded)
    occupancies = np.array([atoms.occupancies[units == u].mean() for u in range(n)])
    kinds = atoms.sites if atoms.kinds is None else atoms.kinds
    sites = [
        (
            tuple(sorted(set(kinds[units == u].tolist()))),
            tuple(sorted(set(atoms.numbers[units == u].tolist()))),
        )
        for u in range(n)
    ]
    _, labels = connected_components(csr_matrix(excluded), directed=False)
    clusters = []
    for label in range(int(labels.max(initial=-1)) + 1):
        members = np.flatnonzero(labels == label)
        # symmetry-equal units keep one order, so that all clusters of a kind choose alike
        members = np.array(sorted(members.tolist(), key=lambda u: (sites[u], u)))
        clusters.append(
            _Cluster(
                members,
                occupancies[members],
                excluded[np.ix_(members, members)],
                tuple(sites[u] for u in members),
            )
        )
    return clusters


def _drawn(clusters: list[_Cluster], rng: np.random.Generator) -> list[NDArray[np.int_]]:
    """Draw each cluster; equivalent ones together keep the composition as nearly as they can."""
    chosen: list[NDArray[np.int_]] = []
    by_kind: dict[object, list[_Cluster]] = {}
    for cluster in clusters:
        if cluster.excludes_all():
            by_kind.setdefault(cluster.kind, []).append(cluster)
        else:
            chosen.append(cluster.drawn(rng))
    for alike in by_kind.values():
        shares = alike[0].occupancies / max(1.0, float(alike[0].occupancies.sum()))
        shares = np.append(shares, 1.0 - shares.sum())  # the last stands for an empty place
        exact = shares * len(alike)
        counts = np.floor(exact + 1e-9).astype(int)
        left = len(alike) - int(counts.sum())
        rest = np.clip(exact - counts, 1e-12, None)
        extra = rng.choice(len(shares), size=left, replace=False, p=rest / rest.sum())
        counts[extra] += 1
        drawn = rng.permutation(np.repeat(np.arange(len(counts)), counts)).tolist()
        for cluster, k in zip(alike, drawn, strict=True):
            chosen.append(cluster.units[k : k + 1] if k < len(cluster.units) else cluster.units[:0])
    return chosen


def _atoms_of(units: NDArray[np.int_], chosen: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.flatnonzero(np.isin(units, chosen) & (units >= 0))
