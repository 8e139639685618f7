"""The numbers that a page carries: plain values, ready for JSON."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.elements.naming import chemical_formula
from atomlens.reports.colours import (
    BASELINE_COLOURS,
    SCORE_COLOURS,
    all_equal,
    around_baseline,
    differs_little,
    element_colour,
    scale_ends,
)
from atomlens.reports.content import ExplainedStructure, check_content
from atomlens.reports.drawing import drawing_payload
from atomlens.reports.links import drawn_links
from atomlens.reports.scene import Scene, build_scene, drawn_radius, periodicity, quaternion
from atomlens.reports.wording import (
    NO_STD,
    beside_sentence,
    formula_parts,
    formula_text,
    identity_sentence,
    little_difference,
    meaning,
    pairs_sentence,
    prediction_text,
    scores_note,
    seen_sentence,
    spread_sentence,
    std_sentence,
    sum_sentence,
    within_error,
)


def page_payload(structures: Sequence[ExplainedStructure]) -> dict[str, Any]:
    """Return everything that the page's script reads: colour scales, then the structures."""
    symbols = sorted({s for e in structures for s in e.atoms.get_chemical_symbols()})
    return {
        "scales": {
            "score": list(SCORE_COLOURS),
            "baseline": list(BASELINE_COLOURS),
            "elements": {s: _element(ATOMIC_NUMBERS.get(s, 0)) for s in symbols},
        },
        "structures": [structure_payload(structure) for structure in structures],
    }


def structure_payload(structure: ExplainedStructure) -> dict[str, Any]:
    """Return one structure as plain values."""
    check_content(structure)
    atoms = structure.atoms
    is_formula = bool(atoms.info.get("is_formula"))
    method, score_unit = structure.method, structure.score_unit
    means, means_not = meaning(method, score_unit)
    note = scores_note(method, atoms, score_unit, structure.prediction)
    scores, baseline = np.asarray(structure.scores, dtype=np.float64), structure.baseline
    little = differs_little(scores, baseline)
    scene, edges = None if is_formula else build_scene(atoms), structure.edges
    return {
        "name": structure.name,
        "formula": formula_text(atoms.numbers),
        "formula_plain": chemical_formula(atoms.numbers),
        "formula_parts": formula_parts(atoms.numbers),
        "periodicity": periodicity(atoms),
        "is_formula": is_formula,
        "target": structure.target,
        "target_text": structure.target.replace("_", " "),
        "unit": structure.unit,
        "method": structure.method,
        "model": structure.model,
        "prediction": _finite(structure.prediction),
        "prediction_text": prediction_text(structure),
        "std": None if structure.std is None else _finite(structure.std),
        "std_words": structure.std_words or std_sentence(_std_source(structure)),
        "sum_words": sum_sentence(structure),
        "warning": structure.warning,
        "beside_words": beside_sentence(structure),
        "facts": file_facts(structure),
        "seen_words": seen_sentence(structure.seen),
        "baseline": None if baseline is None else _finite(baseline),
        "meaning": [
            f"{means} {spread_sentence(structure)}".rstrip(),
            " ".join(filter(None, [note, means_not, structure.tested])),
        ],
        "made_by": identity_sentence(structure.made_by),
        "symbols": atoms.get_chemical_symbols(),
        "positions": _rounded(atoms.positions),
        "cell": _rounded(atoms.cell[:]) if atoms.pbc.any() else None,
        "pbc": [bool(p) for p in atoms.pbc],
        "scores": scores.tolist(),
        "scores_std": None
        if structure.scores_std is None
        else np.asarray(structure.scores_std, dtype=float).tolist(),
        "score_unit": structure.score_unit,
        "all_equal": all_equal(scores),
        "scale_ends": {
            "range": _ends(scale_ends(scores, baseline or None, structure.noise)),
            "baseline": None
            if baseline is None
            else _ends(around_baseline(scores, baseline, structure.noise)),
        },
        "little_difference": " ".join(
            filter(
                None,
                [
                    little_difference(scores, baseline) if little else "",
                    within_error(structure),
                ],
            )
        ),
        "drawing": drawing_payload(structure),
        "scene": None if scene is None else _scene_payload(scene),
        "links_words": pairs_sentence(structure.method),
        "links": [] if scene is None or edges is None else drawn_links(edges, scene),
    }


def _std_source(structure: ExplainedStructure) -> str:
    """Return where the error estimate comes from; of what has none, that there is none."""
    has_none = structure.std is None and structure.std_source not in NO_STD
    return "none" if has_none else structure.std_source


def file_facts(structure: ExplainedStructure) -> dict[str, str | float]:
    """Return what a file of the structure says of it as a whole, numbers that are none left out."""
    said = structure.facts or {
        "name": structure.name,
        "target": structure.target,
        "method": structure.method,
        structure.target: structure.prediction,
    }
    return {
        key: value
        for key, value in said.items()
        if not (isinstance(value, float) and not math.isfinite(value))
    }


def script_json(value: Any) -> str:
    """Return JSON that may stand inside a ``<script>`` element, whatever the names contain."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _scene_payload(scene: Scene) -> dict[str, Any]:
    alone = scene.is_copy_free
    return {
        "atom_index": None if alone else scene.atom_index.tolist(),
        "positions": None if alone else _rounded(scene.positions),
        "bonds": scene.bonds.tolist(),
        "cell_edges": _rounded(scene.cell_edges),
        "axes": [[name, _rounded(np.array(end))] for name, end in scene.axes],
        "quaternion": quaternion(scene.rotation),
    }


def _element(atomic_number: int) -> dict[str, Any]:
    return {
        "colour": element_colour(atomic_number),
        "radius": round(drawn_radius(atomic_number), 3),
    }


def _ends(ends: tuple[float, float]) -> list[float]:
    return [float(end) for end in ends]


def _rounded(values: Any) -> Any:
    return (np.round(np.asarray(values, dtype=float), 6) + 0.0).tolist()


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
