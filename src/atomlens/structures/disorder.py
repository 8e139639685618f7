"""Ordered models of a disordered crystal: of atoms that share places or are there in part.

Atoms that go together (a disorder group, or one atom of no group) are a unit. Units that
cannot be there at once, since they overlap or are groups of one assembly, are alternatives.
Each set of alternatives takes what its occupancies add up to. Several models are drawn one after
the other, each so that what all of them hold until then is what the occupancies say; see
``docs/decisions/0017-disorder-by-choice.md``.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements.naming import amounts_in, formula_of
from atomlens.elements.radii import COVALENT_RADII

if TYPE_CHECKING:
    from ase import Atoms

from atomlens.structures.doubts import Doubt
from atomlens.structures.forms import DisorderChoice

_SEED = 20240229
_OVERLAP = 0.75
"""Atoms nearer than this many sums of covalent radii exclude each other."""
_BONDED = 1.2
"""The same for atoms of different groups, which never bond."""
_HYDROGENS = 1.3
"""Å; hydrogens nearer than this that are bound to other atoms exclude each other."""
_FULL = 1.015
"""Occupancies of a place that add up to more are too much, and not rounded."""
_SAME_SHARE = 3
"""Decimals to which the occupancies of places of one kind agree."""
_REDRAWS = 12
"""So often a model that was drawn before is arranged anew."""
_CHOICES = 24
"""Of so many choices of atoms that exclude only some of each other the best is taken."""
_MOST_CHOICES = 200_000
"""Choices times atoms that are tried in all."""
_COMPOSITION = 2.0
"""How much more what is owed of an element in the whole crystal counts than at places of a kind."""
_DECIMALS = 6
"""Of the atoms of an element in a cell; more are rounding of the occupancies' sum."""
_EXACT = 1e-3
"""Atoms a cell by which the mean of the models may miss the occupancies and be called exact."""


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
    """Return ordered models of a disordered cell: one by majority, or several that were drawn.

    A model may be there more than once: each is as frequent as it should be, so that plain means
    over the models are means over the disorder. The mean composition is that of the occupancies,
    as nearly as whole atoms in so many models can hold it.
    """
    units = _units(atoms)
    clusters = _clusters(atoms, units)
    full = np.flatnonzero(units == -1)
    beyond = max((_excess(c) for c in clusters), default=0.0)
    too_much = f"; up to {beyond:.4g} atoms share a place of one, in these shares" if beyond else ""
    if choice.how == "majority":
        kept = np.concatenate([full, *(_atoms_of(units, c.majority()) for c in clusters)])
        said = f"the majority of each place was taken{_ties(clusters)}"
        return [_model(atoms, kept, said, too_much)]
    draws = _Draws(clusters, choice.n_models)
    drawn = [np.sort(np.append(full, _atoms_of(units, chosen))) for chosen in draws.all()]
    drawn = _in_lowest_terms(drawn)
    n, n_different = len(drawn), len({kept.tobytes() for kept in drawn})
    different = f" ({n_different} different)" if n_different < n else ""
    return [
        _model(
            atoms,
            kept,
            f"ordered model {i + 1} of {n}{different}, drawn by the occupancies",
            too_much,
            f"ordered models{different} were drawn by the occupancies",
        )
        for i, kept in enumerate(drawn)
    ]


def _in_lowest_terms(drawn: list[NDArray[np.int_]]) -> list[NDArray[np.int_]]:
    """Return models of which each is there twice or more with each fewer times, in their order."""
    counts = Counter(kept.tobytes() for kept in drawn)
    divisor = math.gcd(*counts.values())
    left = {key: n // divisor for key, n in counts.items()}
    found = []
    for kept in drawn:
        if left[kept.tobytes()]:
            left[kept.tobytes()] -= 1
            found.append(kept)
    return found


def models_of(
    whole: "Atoms", atoms: PartialAtoms, choice: DisorderChoice
) -> "list[tuple[Atoms, NDArray[np.int_]]]":
    """Return ordered models as ase.Atoms, and the atoms that each keeps.

    What was taken is among the warnings of each.

    ``info["disorder"]`` says how; the models of ``enumerate`` are numbered by
    ``info["ordered_model"]``, counted from 0, and have the formula of the crystal in
    ``info["disordered_formula"]``.
    """
    from atomlens.structures.records import add_warning

    models = []
    formula = formula_of(amounts_in(atoms.numbers, atoms.occupancies))
    for i, model in enumerate(ordered_models(atoms, choice)):
        one = whole[model.kept]
        one.info = {"warnings": list(whole.info.get("warnings", [])), "disorder": choice.how}
        if choice.how == "enumerate":
            one.info |= {"ordered_model": i, "disordered_formula": formula}
        add_warning(one, model.said)
        models.append((one, model.kept))
    return models


def composition_of(whole: "Atoms", atoms: PartialAtoms) -> "Atoms | None":
    """Return a disordered crystal as its formula, by the occupancies.

    None where these add up to more than one atom a place, so that the formula is not known.
    """
    from atomlens.structures.formulas import from_amounts
    from atomlens.structures.records import add_warning

    if max((_excess(c) for c in _clusters(atoms, _units(atoms))), default=0.0):
        return None
    amounts = amounts_in(atoms.numbers, atoms.occupancies)
    found = from_amounts(
        ((symbol, round(n, _DECIMALS)) for symbol, n in amounts.items() if n > 0),
        formula_of(amounts),
    )
    found.info["disorder"] = "composition"
    for sentence in whole.info.get("warnings", []):
        add_warning(found, sentence)
    return found


def _model(
    atoms: PartialAtoms, kept: NDArray[np.int_], what: str, too_much: str, of_all: str = ""
) -> OrderedModel:
    """Return an ordered model with what is said of it.

    Args:
        atoms: The disordered cell.
        kept: Indices of the atoms that are there.
        what: How they were chosen.
        too_much: What is said of places that more than one atom share.
        of_all: How all models were chosen, where there may be several.
    """
    kept = np.sort(kept)
    before = _formula(atoms.numbers, atoms.occupancies)
    after = _formula(atoms.numbers[kept], np.ones(len(kept)))
    change = "" if before == after else f": {after} for {before}"
    begin = f"the structure is disordered{too_much}; "
    said = f"{begin}{what}{change}"
    if of_all:
        said = Doubt(said, "ordered model", pieces=(begin + of_all,))
    return OrderedModel(kept, said)


def _excess(cluster: "_Cluster") -> float:
    """Return how many atoms share a place of one, if they are clearly more than one; else 0."""
    total = float(cluster.occupancies.sum())
    return total if cluster.excludes_all() and total > _FULL else 0.0


def _formula(numbers: NDArray[np.int_], weights: NDArray[np.float64]) -> str:
    amounts = amounts_in(numbers, weights)
    shown = sorted((symbol, n) for symbol, n in amounts.items() if n > 0)
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
    for i, j in _hydrogens_at_odds(atoms, members):
        excluded[units[i], units[j]] = units[i] != units[j]
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
    from atomlens.structures.distances import pairs_within

    radii = COVALENT_RADII[atoms.numbers[members]]
    reach = _BONDED * 2 * float(radii.max())
    pbc = np.full(3, atoms.cell is not None)
    cell = np.zeros((3, 3)) if atoms.cell is None else atoms.cell
    pairs = pairs_within(atoms.positions[members], cell, pbc, reach)
    sums = radii[pairs.first] + radii[pairs.second]
    return members[pairs.first], members[pairs.second], pairs.distances / sums


def _hydrogens_at_odds(atoms: PartialAtoms, members: NDArray[np.int_]) -> list[tuple[int, int]]:
    """Return pairs of hydrogens that are nearer than two of a water or a methyl group.

    They are the two halves of one between two oxygens, as in ice, or of a group that turns. Those
    bound to nothing else are molecules of hydrogen.
    """
    from atomlens.structures.distances import pairs_within

    hydrogens = members[atoms.numbers[members] == 1]
    if len(hydrogens) < 2:
        return []
    pbc = np.full(3, atoms.cell is not None)
    cell = np.zeros((3, 3)) if atoms.cell is None else atoms.cell
    pairs = pairs_within(atoms.positions, cell, pbc, _HYDROGENS)
    is_heavy = atoms.numbers != 1
    bound = np.zeros(len(atoms.numbers), dtype=bool)
    bound[pairs.first[is_heavy[pairs.second]]] = True
    usable = bound & np.isin(np.arange(len(bound)), hydrogens)
    near = usable[pairs.first] & usable[pairs.second]
    found = zip(pairs.first[near].tolist(), pairs.second[near].tolist(), strict=True)
    return [(i, j) for i, j in found if i != j]


class _Cluster(NamedTuple):
    """Units of which some exclude others."""

    units: NDArray[np.int_]
    occupancies: NDArray[np.float64]
    """(n_units,)"""
    excluded: NDArray[np.bool_]
    """(n_units, n_units)"""
    labels: tuple[tuple[int, ...], ...]
    """(n_units,) elements of each unit"""
    sites: tuple[int, ...]
    """Listed sites of its units: clusters of the same ones are images of one another"""

    def majority(self) -> NDArray[np.int_]:
        """Return the units of the largest occupancies that can be there together."""
        return np.asarray(self.units[self._taken(self._by_majority(), self._wanted())])

    def tie(self) -> tuple[tuple[int, ...], ...]:
        """Return the elements of units of which the majority left some out, though none is less.

        An empty place has none. Nothing where the occupancies decide.
        """
        taken = self._taken(self._by_majority(), self._wanted())
        empty = 1.0 - float(self.occupancies.sum())
        found: list[tuple[int, ...]] = []
        for k in taken.tolist():
            equal = np.abs(self.occupancies - self.occupancies[k]) < 1e-6
            rivals = [m for m in np.flatnonzero(equal & self.excluded[k]) if m not in taken]
            is_empty = abs(float(self.occupancies[k]) - empty) < 1e-6 and self.excludes_all()
            if rivals or is_empty:
                found += [self.labels[k], *(self.labels[m] for m in rivals), *[()] * is_empty]
        return tuple(dict.fromkeys(found))

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int_]:
        """Return places in `units` of some that can be there together, by their occupancies."""
        total = float(self.occupancies.sum())
        wanted = int(total) + int(rng.random() < total - int(total))
        weights = np.maximum(self.occupancies, 1e-9)
        order = np.argsort(rng.exponential(size=len(self.units)) / weights)
        return self._taken(order, wanted)

    def excludes_all(self) -> bool:
        """Say whether at most one of the units can be there."""
        return bool((self.excluded | np.eye(len(self.units), dtype=bool)).all())

    def shares(self) -> NDArray[np.float64]:
        """(n_units + 1,) how often each is there if one at most can be; the last for none."""
        shares = self.occupancies / max(1.0, float(self.occupancies.sum()))
        return np.append(shares, max(0.0, 1.0 - float(shares.sum())))

    def _by_majority(self) -> NDArray[np.int_]:
        return np.lexsort((self.units, -np.round(self.occupancies, 6)))

    def _wanted(self) -> int:
        return int(float(self.occupancies.sum()) + 0.5 + 1e-6)

    def _taken(self, order: NDArray[np.int_], wanted: int) -> NDArray[np.int_]:
        taken: list[int] = []
        for k in order.tolist():
            if len(taken) < wanted and not self.excluded[k, taken].any():
                taken.append(k)
        return np.array(taken, dtype=int)


def _ties(clusters: list[_Cluster]) -> str:
    """Say of which equal shares the first was taken; nothing where the occupancies decide."""
    found = dict.fromkeys(cluster.tie() for cluster in clusters)
    tied = [tie for tie in found if len(tie) > 1]  # else the same in other places
    if not tied:
        return ""
    words = [" and ".join(map(_called, tie)) for tie in tied[:3]]
    more = f" and {len(tied) - 3} more" if len(tied) > 3 else ""
    return f" (of equal shares, {', '.join(words)}{more}, the first in the file)"


def _called(elements: tuple[int, ...]) -> str:
    return formula_of(amounts_in(np.array(elements), np.ones(len(elements)))) or "none"


def _clusters(atoms: PartialAtoms, units: NDArray[np.int_]) -> list[_Cluster]:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    excluded = _conflicts(atoms, units)
    n = len(excluded)
    members_of = [np.flatnonzero(units == u) for u in range(n)]
    occupancies = np.array([atoms.occupancies[own].mean() for own in members_of])
    labels = [tuple(sorted(atoms.numbers[own].tolist())) for own in members_of]
    sites = [tuple(sorted(set(atoms.sites[own].tolist()))) for own in members_of]
    _, parts = connected_components(csr_matrix(excluded), directed=False)
    clusters = []
    for part in range(int(parts.max(initial=-1)) + 1):
        found = np.flatnonzero(parts == part).tolist()
        # alike units keep one order, so that all clusters of a kind choose alike
        members = np.array(
            sorted(
                found,
                key=lambda u: (labels[u], round(float(occupancies[u]), _SAME_SHARE), sites[u]),
            )
        )
        clusters.append(
            _Cluster(
                members,
                occupancies[members],
                excluded[np.ix_(members, members)],
                tuple(labels[u] for u in members),
                tuple(sorted({site for u in members for site in sites[u]})),
            )
        )
    return clusters


class _Places:
    """Places that the same can stand at, in the same shares, so that they share it out."""

    def __init__(self, clusters: list[_Cluster]) -> None:
        self.clusters = clusters
        self.shares: NDArray[np.float64] = np.array([c.shares() for c in clusters])
        """(n_places, n_options) the last option is nothing"""
        self.labels: tuple[tuple[int, ...], ...] = (*clusters[0].labels, ())
        numbers: dict[Hashable, int] = {}
        self.sites = np.array([numbers.setdefault(c.sites, len(numbers)) for c in clusters])
        """(n_places,) numbers of their listed sites"""
        self.owed: NDArray[np.float64] = np.zeros_like(self.shares)
        """How much more often than until now each option should have been taken"""

    def counts(self, owed: dict[Hashable, float], rng: np.random.Generator) -> NDArray[np.int_]:
        """(n_options,) how often the next model takes each: its share, rounded down or up.

        Args:
            owed: What places of other kinds, and these in models before, should have taken of
                units of some elements and did not.
            rng: Decides between equal ones.
        """
        exact = self.shares.sum(axis=0)
        counts = np.floor(exact + 1e-6)
        rest = exact - counts
        of_elements = np.array([owed.get(label, 0.0) for label in self.labels])
        wish = rest + self.owed.sum(axis=0) + _COMPOSITION * of_elements
        wish = np.where(rest > 1e-6, np.round(wish, 9), -np.inf)
        n_left = len(self.clusters) - int(counts.sum())
        counts[np.lexsort((rng.random(len(wish)), -wish))[:n_left]] += 1
        return np.asarray(counts, dtype=int)

    def arranged(self, counts: NDArray[np.int_], rng: np.random.Generator) -> NDArray[np.int_]:
        """(n_places,) an option for each place: those to which most is owed, else by chance."""
        owed = np.round(self.owed + self.shares, 9)
        chosen = np.full(len(owed), -1)
        options = rng.permutation(np.flatnonzero(counts))
        for option in options[:-1]:
            free = np.flatnonzero(chosen < 0)
            mine = owed[free, option]
            taken = _shared_out(self.sites[free], mine, int(counts[option]), rng)
            chosen[free[taken]] = option
        chosen[chosen < 0] = options[-1]
        return chosen

    def settle(self, chosen: NDArray[np.int_]) -> None:
        """Take note of what the next model took."""
        self.owed += self.shares
        self.owed[np.arange(len(chosen)), chosen] -= 1.0


def _shared_out(
    sites: NDArray[np.int_], owed: NDArray[np.float64], n: int, rng: np.random.Generator
) -> NDArray[np.int_]:
    """Return n places: of each site as many as it is owed, of a site the places owed most."""
    order: NDArray[np.int_] = np.lexsort((rng.random(len(owed)), -owed))
    if (sites == sites[0]).all() or len(np.unique(sites)) == len(sites):
        return order[:n]
    # the first place of a site comes when it is owed half a unit more, the next one later
    of_site = np.bincount(sites, owed)
    rank = np.empty(len(order))
    for site in np.unique(sites):
        own = order[sites[order] == site]
        rank[own] = of_site[site] - np.arange(len(own))
    by_rank: NDArray[np.int_] = np.lexsort((rng.random(len(owed)), -np.round(rank, 9)))
    return by_rank[:n]


class _Draws:
    """Draws models one after the other, so that all of them together hold what they should."""

    def __init__(self, clusters: list[_Cluster], most: int) -> None:
        self.rng = np.random.default_rng(_SEED)
        kinds: dict[Hashable, list[_Cluster]] = {}
        self.branched: list[_Cluster] = []
        """Clusters in which several units can be there at once"""
        for cluster in clusters:
            if cluster.excludes_all():
                shares = tuple(np.round(cluster.occupancies, _SAME_SHARE).tolist())
                kinds.setdefault((cluster.labels, shares), []).append(cluster)
            else:
                self.branched.append(cluster)
        self.places = [_Places(alike) for alike in kinds.values()]
        self.owed_units = [np.zeros(len(cluster.units)) for cluster in self.branched]
        self.owed: dict[Hashable, float] = {}
        """By elements of a unit: how many more there should have been until now"""
        self.n_models = self._n_models(most)

    def _n_models(self, most: int) -> int:
        """Return the number of models, more than half of those allowed, that can hold the shares.

        Those of all kinds of places, else those of the elements; all that are allowed if none can.
        """
        expected: dict[Hashable, float] = {}
        listed = [(own.labels, own.shares.sum(axis=0)) for own in self.places]
        listed += [(cluster.labels, cluster.occupancies) for cluster in self.branched]
        for labels, amounts in listed:
            for label, amount in zip(labels, amounts.tolist(), strict=True):
                expected[label] = expected.get(label, 0.0) + amount
        totals = np.array(list(expected.values()))
        of_places = [amounts for _, amounts in listed]
        for exact in (np.concatenate([totals, *of_places]), totals):
            for n in range(most, most // 2, -1):
                if (np.abs(n * exact - np.round(n * exact)) <= _EXACT * n).all():
                    return n
        return most

    def all(self) -> list[NDArray[np.int_]]:
        """Return the units of each model."""
        seen: set[bytes] = set()
        found = []
        for _ in range(self.n_models):
            branched = [self._branched(k) for k in self.rng.permutation(len(self.branched))]
            counts: dict[int, NDArray[np.int_]] = {}
            for k in self.rng.permutation(len(self.places)).tolist():
                counts[k] = self.places[k].counts(self.owed, self.rng)
                own = self.places[k]
                self._note(own.labels, own.shares.sum(axis=0) - counts[k])
            for _ in range(_REDRAWS):  # the same counts in all their arrangements are as likely
                chosen = {k: self.places[k].arranged(n, self.rng) for k, n in counts.items()}
                taken = [self._units_of(k, options) for k, options in chosen.items()]
                model = np.sort(np.concatenate([np.zeros(0, int), *branched, *taken]))
                if model.tobytes() not in seen:
                    break
            for k, options in chosen.items():
                self.places[k].settle(options)
            seen.add(model.tobytes())
            found.append(model)
        return found

    def _note(self, labels: Sequence[Hashable], more: NDArray[np.float64]) -> None:
        for label, amount in zip(labels, more.tolist(), strict=True):
            self.owed[label] = self.owed.get(label, 0.0) + amount

    def _units_of(self, k: int, options: NDArray[np.int_]) -> NDArray[np.int_]:
        pairs = zip(self.places[k].clusters, options.tolist(), strict=True)
        return np.array([c.units[o] for c, o in pairs if o < len(c.units)], dtype=int)

    def _branched(self, k: int) -> NDArray[np.int_]:
        """Return units of a cluster: of several choices the one that leaves least owed."""
        cluster = self.branched[k]
        owed = self.owed_units[k] + cluster.occupancies
        work = self.n_models * sum(len(c.units) for c in self.branched)
        n_choices = max(4, min(_CHOICES, _MOST_CHOICES // work))
        least, best = math.inf, np.zeros(0, int)
        for _ in range(n_choices):
            taken = cluster.drawn(self.rng)
            left = owed.copy()
            left[taken] -= 1.0
            before = dict(self.owed)
            self._note(cluster.labels, left - self.owed_units[k])
            cost = float(np.square(left).sum()) + sum(x * x for x in self.owed.values())
            self.owed = before
            if cost < least:
                least, best = cost, taken
        owed[best] -= 1.0
        self._note(cluster.labels, owed - self.owed_units[k])
        self.owed_units[k] = owed
        return np.asarray(cluster.units[best])


def _atoms_of(units: NDArray[np.int_], chosen: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.flatnonzero(np.isin(units, chosen) & (units >= 0))
