"""Conversion factors (CODATA 2014 values as used by the published QM9 work), and units in print."""

import re

HARTREE_IN_EV = 27.211386
BOHR_IN_ANGSTROM = 0.529177210903
EV_NANOMETRE = 1239.841984
"""Photon energy (eV) times vacuum wavelength (nm): h c / e."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def unit_text(unit: str) -> str:
    """Return a unit as pages and pictures show it: ``bohr³`` for ``bohr^3``, ``cm⁻¹`` for ``1/cm``.

    For readers alone: tables and JSON keep the unit as it was given. What is shown already stays.
    """
    text = re.sub(
        r"(?<=[^\W\d_])(?:\^|\*\*)(\()?(-?\d+)(?(1)\))(?![\d./])",
        lambda found: found[2].translate(_RAISED),
        unit,
    )
    text = re.sub(r"^1/([^\W\d_]+)$", r"\1⁻¹", text)
    text = re.sub(r"\blog(10|2)(?=\()", lambda found: f"log{found[1].translate(_LOWERED)}", text)
    return re.sub(r"(?<=/\()([^\W\d_]+) ([^\W\d_]+)(?=\))", r"\1·\2", text)


_A_SHARE = r"(atoms?|at\.?(?=$|\))|f\.?\s?u\.?|formula(?:[ _]units?)?)"
_SHARES = re.compile(
    rf"(?:/|\bper\b)\s*(?:\([^)]*?\b)?{_A_SHARE}(?![a-z])"
    rf"|\b{_A_SHARE}\s*(?:\^|\*\*)?\s*\(?[-\u2212\u207b]\s*[1\u00b9]",
    re.IGNORECASE,
)


def share_of(unit: str) -> str:
    """Return of what a unit is a share: ``atom`` for ``eV/atom``, ``formula unit``, or nothing."""
    found = _SHARES.search(unit)
    if found is None:
        return ""
    word = found[1] or found[2]
    return "atom" if word.lower().startswith("at") else "formula unit"
