"""Does attention stand where the frontier orbital stands?

SCANN shows attention maps beside orbitals (claim S5). Here the comparison is a number for each
molecule: the rank correlation between the attention of a HOMO (LUMO) model and the shares of
the atoms in the calculated HOMO (LUMO), beside networks that learned nothing and beside
averages over elements that know no molecule.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.errors import StudyError
from atomlens.predictor import Predictor
from atomlens.studies.base import Claim, Effect, Row, Study, StudyInput, StudyResult
from atomlens.studies.networks import Attention, Measured, measure_attention, predicts
from atomlens.studies.orbitals.cases import Cases, OrbitalsSettings, gather_cases
from atomlens.studies.orbitals.claims import LEAST, PaperCase, orbital_claim
from atomlens.studies.orbitals.numbers import (
    ELEMENT,
    ENVIRONMENT,
    MEASURES,
    ChemistryBaseline,
    OrbitalAgreement,
    agreement,
    n_leading,
)
from atomlens.studies.orbitals.sample import PAPER_MOLECULES
from atomlens.studies.orbitals.solution import Orbital, Values
from atomlens.studies.statistics import bootstrap

TRAINED = "attention"
OTHER = "the other orbital"


class ComparedModel(NamedTuple):
    """One model on all molecules."""

    label: str
    orbital: Orbital
    rows: tuple[int, ...]
    """Molecules (of the cases) that the model could take."""
    scores: tuple[Values, ...]
    """Attention in them."""
    found: tuple[dict[str, OrbitalAgreement], ...]
    """By ``attention`` and the name of each control."""
    networks: tuple[dict[str, tuple[OrbitalAgreement, ...]], ...]
    """Each network of each control."""
    control_scores: tuple[dict[str, tuple[Values, ...]], ...]
    """Attention in each network of each control, and what the table gives the atoms."""

    def paper_case(self, place: int, cases: Cases) -> PaperCase:
        """Return what claim S5 needs of one molecule."""
        found = self.found[place]
        return PaperCase(
            label=self.label,
            molecule=cases.orbitals[self.rows[place]],
            scores=self.scores[place],
            agreement=found[TRAINED].heavy,
            controls={
                **{k: [a.heavy for a in each] for k, each in self.networks[place].items()},
                ENVIRONMENT: [found[ENVIRONMENT].heavy],
            },
            control_scores=self.control_scores[place],
        )


@final
class Orbitals(Study):
    """Does attention stand where the frontier orbital stands?"""

    name: ClassVar[str] = "orbitals"
    summary: ClassVar[str] = "does attention stand where the frontier orbital stands?"
    Settings: ClassVar[type] = OrbitalsSettings
    reads_values = False
    needs_data: ClassVar[bool] = False

    def run(self, given: StudyInput) -> StudyResult:
        """Compare attention with orbitals in every model and its controls.

        Without structures the sample of QM9 that comes with atomlens is used.

        Raises:
            StudyError: no model is of HOMO or LUMO, or no molecule can be used.
            MissingDependencyError: pyscf is needed and not installed.
        """
        if not any(orbital_of(m) for m in given.models):
            raise StudyError(
                "orbitals: none of the models has the single target homo or lumo; name one target "
                "of a larger model (--model qm9:homo), or train one on qm9 with --target homo (in "
                'Python models="qm9:homo", target="homo").'
            )
        cases = gather_cases(given, self.settings)
        measured = measure_attention(given, cases.structures())
        compared = [
            compare_model(m, orbital, cases, self.settings.top_k)
            for m in measured
            if (orbital := orbital_of(m.predictor))
        ]
        used = {row for c in compared for row in c.rows if cases.origins[row] != "paper"}
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(c.label for c in compared),
            settings=asdict(self.settings),
            n_structures=len(used),
            effects=tuple(e for c in compared for e in effects(c, cases, self.settings.seed)),
            claims=claims(compared, cases),
            tables={"molecules": _molecule_rows(compared, cases), "atoms": _atoms(compared, cases)},
            counts={
                "molecules compared": len(used),
                "left out, in a training part": cases.n_in_training,
                "not calculated": len(cases.failures),
            },
            failures=tuple(
                {
                    f.name: f
                    for f in (*cases.failures, *(f for m in measured for f in m.trained.failures))
                }.values()
            ),
            notes=_notes(cases, self.settings),
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the correlations of all molecules, and some molecules with their orbitals."""
        from atomlens.studies.orbitals.pictures import draw_correlations, draw_molecules

        rows = [row for row in result.tables["molecules"] if row["set"] != "paper"]
        path = draw_correlations(rows, folder / "orbitals.png")
        return [path, *draw_molecules(result.tables, self.settings, folder)]


def orbital_of(predictor: Predictor) -> Orbital | None:
    """Return which orbital a model's energy belongs to, if one."""
    if predicts(predictor, "homo"):
        return "homo"
    return "lumo" if predicts(predictor, "lumo") else None


def compare_model(measured: Measured, orbital: Orbital, cases: Cases, top_k: int) -> ComparedModel:
    """Compare the attention of one model, and its controls, with the orbital of its target."""
    rows = tuple(int(row) for row in measured.trained.kept)
    other: Orbital = "lumo" if orbital == "homo" else "homo"
    baselines = {
        kind: ChemistryBaseline(cases.shipped.orbitals, orbital, kind)
        for kind in (ELEMENT, ENVIRONMENT)
    }
    found, of_networks, of_scores = [], [], []
    for i, row in enumerate(rows):
        molecule = cases.orbitals[row]
        shares, numbers = molecule.shares(orbital), molecule.atomic_numbers
        k = n_leading(shares, top_k)
        scores = measured.trained.scores[i]
        of_molecule = {TRAINED: agreement(scores, shares, numbers, k)}
        of_scores.append(
            {
                name: tuple(a.scores[_place(a, row)] for a in networks)
                for name, networks in measured.controls.items()
            }
        )
        of_networks.append(
            {
                name: tuple(agreement(s, shares, numbers, k) for s in each)
                for name, each in of_scores[-1].items()
            }
        )
        for name, each in of_networks[-1].items():
            of_molecule[name] = OrbitalAgreement(*np.mean(each, axis=0).tolist())
        for name, baseline in baselines.items():
            of_molecule[name] = agreement(baseline.scores(molecule), shares, numbers, k)
        of_scores[-1][ENVIRONMENT] = (baselines[ENVIRONMENT].scores(molecule),)
        elsewhere = molecule.shares(other)
        of_molecule[OTHER] = agreement(scores, elsewhere, numbers, n_leading(elsewhere, top_k))
        found.append(of_molecule)
    return ComparedModel(
        measured.label,
        orbital,
        rows,
        measured.trained.scores,
        tuple(found),
        tuple(of_networks),
        tuple(of_scores),
    )


def _place(attention: Attention, row: int) -> int:
    return int(np.searchsorted(attention.kept, row))


def effects(compared: ComparedModel, cases: Cases, seed: int) -> list[Effect]:
    """Return the means over molecules, and by how much they are above each control."""
    inside = [i for i, row in enumerate(compared.rows) if cases.origins[row] != "paper"]
    names = list(compared.found[0]) if compared.found else []
    found = []
    for field, title in MEASURES.items():
        table = np.array([[getattr(compared.found[i][n], field) for n in names] for i in inside])
        table = table.reshape(-1, len(names))
        table = table[np.isfinite(table[:, 0])]
        means = table.mean(axis=0) if len(table) else np.full(len(names), np.nan)
        interval = bootstrap(table[:, 0], seed=seed)
        found.append(
            Effect.within(
                f"{compared.label}: {title}",
                interval,
                n=len(table),
                meaning=f"attention against the {compared.orbital.upper()}, mean over molecules",
                controls=dict(zip(names[1:], means[1:].tolist(), strict=True)),
            )
        )
        if field == "heavy":
            found += _advantages(compared.label, names, table, seed)
            found.append(_frequency(compared.label, names, table, seed))
    return found


def _advantages(label: str, names: Sequence[str], table: Values, seed: int) -> list[Effect]:
    """Return how far attention is above each control, molecule by molecule."""
    advantages = []
    for column, name in enumerate(names[1:], start=1):
        above = table[:, 0] - table[:, column]
        interval = bootstrap(above[np.isfinite(above)], seed=seed)
        advantages.append(
            Effect.within(
                f"{label}: Spearman above {name}",
                interval,
                n=int(np.isfinite(above).sum()),
                meaning="heavy atoms, difference in the same molecule, mean over molecules",
            )
        )
    return advantages


def _frequency(label: str, names: Sequence[str], table: Values, seed: int) -> Effect:
    """Return how often a molecule meets the criterion of S5: the base rate of the claim.

    Untrained networks are left out: their mean over several is no correlation of one network.
    """
    meets = (table > LEAST).astype(np.float64)
    interval = bootstrap(meets[:, 0], seed=seed)
    return Effect.within(
        f"{label}: molecules with Spearman > {LEAST}",
        interval,
        n=len(meets),
        meaning="share of the molecules that meet the criterion of S5, heavy atoms",
        controls={
            name: float(meets[:, i].mean()) if len(meets) else np.nan
            for i, name in enumerate(names)
            if name not in (TRAINED, "untrained")
        },
    )


def claims(compared: Sequence[ComparedModel], cases: Cases) -> tuple[Claim, ...]:
    """Judge the paper's four molecules with every model of the orbital."""
    judged = []
    for paper in PAPER_MOLECULES:
        found = [
            c.paper_case(i, cases)
            for c in compared
            if c.orbital == paper.orbital
            for i, row in enumerate(c.rows)
            if cases.origins[row] == "paper" and cases.orbitals[row].name == paper.name
        ]
        reason = (
            ""
            if found
            else (f"it needs a model of the {paper.orbital.upper()} energy for this molecule")
        )
        judged.append(orbital_claim(paper, found, reason))
    return tuple(judged)


def _molecule_rows(compared: Sequence[ComparedModel], cases: Cases) -> list[Row]:
    return [
        {
            "model": c.label,
            "molecule": cases.orbitals[row].name,
            "set": cases.origins[row],
            "orbital": c.orbital,
            "n_atoms": len(cases.orbitals[row].homo),
            "n_heavy": int((cases.orbitals[row].atomic_numbers != 1).sum()),
            "score": name,
            "spearman_heavy": found.heavy,
            "spearman_all": found.all_atoms,
            "overlap": found.overlap,
        }
        for c in compared
        for row, of_molecule in zip(c.rows, c.found, strict=True)
        for name, found in of_molecule.items()
    ]


def _atoms(compared: Sequence[ComparedModel], cases: Cases) -> list[Row]:
    """Return every atom with its share and attention; the pictures are drawn from them."""
    rows: list[Row] = []
    for c in compared:
        for row, scores in zip(c.rows, c.scores, strict=True):
            molecule = cases.orbitals[row]
            place = {"model": c.label, "molecule": molecule.name, "set": cases.origins[row]}
            shares = molecule.shares(c.orbital)
            for i, (z, (x, y, height)) in enumerate(
                zip(molecule.atomic_numbers, molecule.positions.tolist(), strict=True)
            ):
                of_atom = {"atom": i, "element": SYMBOLS[z], "x": x, "y": y, "z": height}
                values = {"share": float(shares[i]), "attention": float(scores[i])}
                rows.append({**place, "orbital": c.orbital, **of_atom, **values})
    return rows


def _notes(cases: Cases, settings: OrbitalsSettings) -> tuple[str, ...]:
    said = cases.shipped.provenance
    how = (
        "Hückel's p_z model"
        if settings.method == "huckel"
        else f"{settings.functional.upper()}/{settings.basis.upper()}, {settings.population} "
        f"shares, grid level {settings.grid_level}, density fitting"
    )
    as_shipped = cases.is_shipped and "inputs" not in cases.origins
    source = f"pyscf {said['pyscf']}, {said['date']}" if as_shipped else "calculated now"
    return (
        f"Orbitals: {how} ({source}).",
        "Chemistry baselines give every atom the mean share of its kind in the other molecules of "
        "the sample; attention that does not beat them says no more about the orbital than they.",
        "A model of an orbital's energy needs no map of the orbital. Agreement does not show that "
        "the network found the orbital, nor disagreement that its energies are wrong.",
        f"{OTHER}: the same attention against the orbital that the model was not trained on.",
    )
