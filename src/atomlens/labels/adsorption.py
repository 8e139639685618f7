"""Uptakes of many crystals at several pressures: one after the other, failures kept."""

import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from atomlens.elements.naming import chemical_formula
from atomlens.errors import Failure, LabelError, SettingsError, unknown_name
from atomlens.labels.force_fields import FORCE_FIELDS
from atomlens.labels.framework import Charges, Framework, make_framework, missing_ions
from atomlens.labels.gases import GASES
from atomlens.labels.gcmc import Adsorption, GcmcSettings, Progress, import_raspalib, simulate
from atomlens.structures.arrays import StructureArrays, name_of, warnings_of
from atomlens.structures.forms import form_of

if TYPE_CHECKING:
    from ase import Atoms


class _About(TypedDict):
    """What all simulations of a call have in common."""

    gas: str
    force_field: str
    charges: Charges


@dataclass(frozen=True, slots=True, kw_only=True)
class AdsorptionLabels:
    """What `label_adsorption` found."""

    records: tuple[dict[str, Any], ...]
    """One row for each input and pressure, in the order given; a failed input is one row
    ``{"name", "error"}``."""
    failures: tuple[Failure, ...]


_HIGHEST = 5000.0
"""bar; more is a pressure in Pa."""


def label_adsorption(
    structures: "Sequence[Atoms | Failure]",
    pressures: Sequence[float],
    *,
    gas: str = "CO2",
    force_field: str = "uff",
    charges: Charges = "file",
    settings: GcmcSettings | None = None,
    progress: Progress | None = None,
    finished: Callable[[Sequence[dict[str, Any]]], None] | None = None,
    known: Sequence[Mapping[str, Any]] = (),
) -> AdsorptionLabels:
    """Simulate the adsorption of a gas in each crystal at each pressure (bar).

    ``finished`` is called after each crystal with the rows of all so far, to keep them. ``known``
    are rows of an earlier call: a crystal is not simulated again whose atoms, pressures and
    settings are among them.

    Raises:
        MissingDependencyError: raspalib is not installed.
        SettingsError: there is no such gas or force field, or a pressure is not above zero.
    """
    for kind, name, table in (("gas", gas, GASES), ("force field", force_field, FORCE_FIELDS)):
        if name not in table:
            raise SettingsError(unknown_name(kind, name, table))
    if not pressures or not all(0 < p < math.inf for p in pressures):
        raise SettingsError("Pressures are given in bar, one at least, each above zero.")
    if max(pressures) > _HIGHEST:
        raise SettingsError(
            f"pressure {max(pressures):g} bar: no gas is one there; pressures are given in bar "
            f"({max(pressures):g} Pa are {max(pressures) / 1e5:g} bar)."
        )
    import_raspalib()
    settings = settings or GcmcSettings()
    used: Charges = charges if GASES[gas].is_charged else "none"
    about: _About = {"gas": gas, "force_field": force_field, "charges": used}
    earlier = _Known(known)
    done: dict[int, list[dict[str, Any]]] = {}
    for place, item in enumerate(structures):
        found = [] if isinstance(item, Failure) else earlier.rows(item, pressures, about, settings)
        if found:
            done[place] = found
    failures: dict[int, Failure] = {}
    report = _Shares(progress, len(structures), len(pressures))
    for place, item in enumerate(structures):
        if place not in done:
            try:
                if charges != used:  # the gas feels none; else `make_framework` asks
                    _refuse_missing_ions(item)
                done[place] = _isotherm(item, pressures, about, settings, report)
            except LabelError as error:
                name = item.name if isinstance(item, Failure) else name_of(item)
                failures[place] = Failure(name=name, message=str(error))
                done[place] = [{"name": name, "error": failures[place].message}]
            if finished is not None:
                finished([row for rows in _in_order(done) for row in rows])
        report.finish_structure()
    return AdsorptionLabels(
        records=tuple(row for rows in _in_order(done) for row in rows),
        failures=tuple(failures[place] for place in sorted(failures)),
    )


def _in_order(done: Mapping[int, list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    return [done[place] for place in sorted(done)]


class _Known:
    """Rows of an earlier call, found by crystal, pressure and settings."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.by_key: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in rows:
            if row.get("uptake") is not None and row.get("simulation"):
                key = (row.get("digest"), row.get("simulation"), _number(row.get("pressure")))
                self.by_key[tuple(map(str, key))] = dict(row)

    def rows(
        self,
        atoms: "Atoms",
        pressures: Sequence[float],
        about: "_About",
        settings: GcmcSettings,
    ) -> list[dict[str, Any]]:
        """Return the rows of a crystal under its present name; empty if one is missing."""
        if not self.by_key:
            return []
        digest, simulation = digest_of(atoms), _in_words(about, settings)
        keys = [(digest, simulation, _number(pressure)) for pressure in pressures]
        found = [self.by_key.get(key) for key in keys]
        beside = {"name": name_of(atoms), "file": atoms.info.get("source")}
        complete = [row | beside for row in found if row is not None]
        return complete if len(complete) == len(pressures) else []


def _number(value: Any) -> str:
    """Return a pressure as a key, the same for 5, 5.0 and '5'."""
    try:
        return repr(float(value))
    except (TypeError, ValueError):
        return ""


def digest_of(atoms: "Atoms") -> str:
    """Return a mark of everything of a crystal that a simulation sees."""
    structure = StructureArrays.from_atoms([atoms])
    charges = b"" if structure.charges is None else structure.charges.tobytes()
    content = structure.fingerprint().encode() + charges
    return hashlib.sha256(content).hexdigest()[:16]


def _in_words(about: "_About", settings: GcmcSettings) -> str:
    """Return everything that decides a simulation but crystal and pressure."""
    said = {**about, **asdict(settings)}
    return " ".join(f"{name}={value}" for name, value in sorted(said.items()))


def _refuse_missing_ions(item: "Atoms | Failure") -> None:
    """Raise a LabelError for a crystal without its counter-ions, whatever the gas feels."""
    ions = "" if isinstance(item, Failure) else missing_ions(item)
    if ions and not isinstance(item, Failure):
        raise LabelError(
            f"{name_of(item)}: its partial charges add up to {ions} in the cell, as if "
            "counter-ions were missing, in whose place the gas would go; add them, or say "
            '--charges none (in Python charges="none") to take the crystal as it stands.'
        )


def _isotherm(
    item: "Atoms | Failure",
    pressures: Sequence[float],
    about: _About,
    settings: GcmcSettings,
    report: "_Shares",
) -> list[dict[str, Any]]:
    """Return one row for each pressure; raises LabelError if the structure cannot be used."""
    if isinstance(item, Failure):
        raise LabelError(item.message)
    field, gas = FORCE_FIELDS[about["force_field"]], GASES[about["gas"]]
    framework = make_framework(item, field, cutoff=settings.cutoff, charges=about["charges"])
    rows = []
    for pressure in pressures:
        found = simulate(framework, gas, pressure, settings, report.part)
        rows.append(_record(item, framework, found, about, settings))
        report.finish_part()
    return rows


def training_rows(records: Sequence[dict[str, Any]], folder: str | Path) -> list[dict[str, Any]]:
    """Return one row for each structure file, one column for each pressure.

    This is a table for training when it is written into ``folder``: the column ``file`` is
    relative to it, and the uptakes are called ``GAS_PRESSUREbar_TEMPERATUREK [mmol/g]``. Failed
    inputs, and structures that come from no file, have no row. Of the ordered models of one crystal
    the row holds the mean.
    """
    rows: dict[str, dict[str, Any]] = {}
    found: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if "error" in record or not record.get("file"):
            continue
        file = os.path.relpath(record["file"], folder)
        name = record["name"]
        if record.get("ordered_model") not in (None, ""):
            name = re.sub(r"-\d{4}$", "", name)
        row = rows.setdefault(name, {"file": file, "name": name})
        title = f"{record['gas']}_{record['pressure']:g}bar_{record['temperature']:g}K [mmol/g]"
        uptakes = found.setdefault((name, title), [])
        uptakes.append(float(record["uptake"]))
        row[title] = sum(uptakes) / len(uptakes)
    return list(rows.values())


def _record(
    atoms: "Atoms",
    framework: Framework,
    found: Adsorption,
    about: _About,
    settings: GcmcSettings,
) -> dict[str, Any]:
    return {
        "name": framework.name,
        "formula": chemical_formula(atoms.numbers),
        "n_atoms": len(atoms),
        "gas": about["gas"],
        "pressure": found.pressure,
        "temperature": settings.temperature,
        "uptake": found.uptake,
        "uptake_error": found.uptake_error,
        "unit": "mmol/g",
        "uptake_mg_per_g": found.milligrams,
        "molecules_per_cell": found.molecules,
        "molecules_per_cell_error": found.molecules_error,
        "drift": found.drift,
        "equilibration": found.equilibration,
        "heat_of_adsorption_kJ_per_mol": found.heat,
        "heat_of_adsorption_error": found.heat_error,
        "force_field": about["force_field"],
        "charges": about["charges"],
        "cells": "x".join(str(n) for n in framework.replicas),
        "file": atoms.info.get("source"),
        "digest": digest_of(atoms),
        "simulation": _in_words(about, settings),
        "ordered_model": form_of(atoms) if form_of(atoms) >= 0 else None,
        "warning": "; ".join((*warnings_of(atoms), *_of_ions(atoms))) or None,
    }


def _of_ions(atoms: "Atoms") -> tuple[str, ...]:
    """Return what must be said where charges were left out, and ions may be missing."""
    ions = missing_ions(atoms)
    said = f"the partial charges of the file add up to {ions}, as if counter-ions were missing"
    return (said,) if ions else ()


class _Shares:
    """Progress of one simulation as progress of all of them, in thousandths."""

    def __init__(self, progress: Progress | None, n_structures: int, n_pressures: int) -> None:
        self.progress = progress
        self.n_pressures = n_pressures
        self.n_parts = n_structures * n_pressures
        self.n_structures_done = 0
        self.n_parts_done = 0

    def part(self, done: int, total: int) -> None:
        """Hear how far the simulation is that is running."""
        if self.progress is not None:
            share = (self.n_parts_done + done / total) / self.n_parts
            self.progress(int(1000 * share), 1000)

    def finish_part(self) -> None:
        self.n_parts_done += 1

    def finish_structure(self) -> None:
        """Count a structure as done, also if it failed before its first simulation."""
        self.n_structures_done += 1
        self.n_parts_done = self.n_structures_done * self.n_pressures
        self.part(0, 1)
