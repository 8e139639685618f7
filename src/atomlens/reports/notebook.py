"""What objects show of themselves in a notebook: tables, and structures in 3D without a network.

Tables take their colours from the notebook, light or dark. Views stand in frames of their own, in
which scripts can run and nothing can be loaded.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.elements.naming import chemical_formula
from atomlens.files import write_text
from atomlens.reports.colours import element_colour
from atomlens.reports.page import fill, resource
from atomlens.reports.payload import script_json
from atomlens.reports.prose import prose_html
from atomlens.reports.scene import build_scene, drawn_radius, quaternion
from atomlens.reports.tables import are_numbers, column_names, plain
from atomlens.reports.wording import formula_text

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.structures.arrays import StructureArrays

N_ROWS = 20
"""So many rows of a table are shown."""
_LONGEST = 60
"""Letters of a cell; longer ones show the rest when they are pointed at."""
_TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums;background:transparent"
_CELL = "padding:2px 10px;border-bottom:1px solid rgba(128,128,128,.35);color:inherit"
_QUIET = "margin:2px 0;opacity:.75;color:inherit"


def table_html(
    rows: Sequence[Mapping[str, Any]], *, title: str = "", notes: Sequence[str] = ()
) -> str:
    """Return rows as an HTML table; everything in it is text, whatever the names contain.

    Args:
        rows: Column name to value; beyond ``N_ROWS`` they are counted instead of shown.
        title: What stands above.
        notes: Sentences below.
    """
    names = [name for name in column_names(rows) if any(row.get(name) is not None for row in rows)]
    numeric = {name: _is_numeric(row.get(name) for row in rows) for name in names}
    parts = [f"<p style='margin:2px 0;color:inherit'><b>{_text(title)}</b></p>"] if title else []
    if names:
        head = "".join(_cell("th", name, numeric[name]) for name in names)
        body = "".join(
            f"<tr style='background:transparent'>"
            f"{''.join(_cell('td', row.get(name), numeric[name]) for name in names)}</tr>"
            for row in rows[:N_ROWS]
        )
        parts.append(
            f"<table style='{_TABLE}'><thead><tr style='background:transparent'>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )
    more = [f"{N_ROWS} of {len(rows)} rows are shown."] if len(rows) > N_ROWS else []
    parts += [f"<p style='{_QUIET}'>{prose_html(note)}</p>" for note in (*more, *notes) if note]
    return f"<div style='overflow-x:auto;color:inherit'>{''.join(parts)}</div>"


def _is_numeric(values: Any) -> bool:
    return are_numbers([plain(value) for value in values])


def _cell(kind: str, value: Any, right: bool) -> str:
    side, text = "right" if right else "left", _shown(plain(value))
    style = f"{_CELL};text-align:{side};white-space:nowrap"
    whole = f" title='{html.escape(text)}'" if len(text) > _LONGEST else ""
    return f"<{kind} style='{style}'{whole}>{_text(text, _LONGEST)}</{kind}>"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return str(value)


def _text(value: str, longest: int | None = None) -> str:
    cut = value if longest is None or len(value) <= longest else value[: longest - 1] + "…"
    return html.escape(cut, quote=True)


def frame(document: str, *, height: int) -> str:
    """Return a page in a frame of its own, which can run its scripts and reach nothing else."""
    return (
        f'<iframe sandbox="allow-scripts allow-downloads" srcdoc="{html.escape(document)}" '
        f'style="width:100%;height:{height}px;border:0;color-scheme:light dark" '
        'loading="lazy" title="atomlens"></iframe>'
    )


@final
@dataclass(frozen=True, slots=True)
class StructureView:
    """A structure in 3D, coloured by element: shows itself in notebooks, saves itself as a page."""

    atoms: "Atoms"

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained page."""
        return write_text(structure_page(self.atoms), path)

    def _repr_html_(self) -> str:
        return structure_html(self.atoms)


def show(structure: Any) -> StructureView:
    """Return one structure as something that notebooks draw in 3D, without a network.

    Args:
        structure: ase.Atoms, an object of pymatgen or rdkit, a SMILES, a formula or a file.

    Raises:
        StructureError: it is no structure, or several.
    """
    from atomlens.structures import to_atoms

    return StructureView(to_atoms(structure))


def structure_html(atoms: "Atoms") -> str:
    """Return a structure in 3D, in a frame; a bare formula as its text."""
    if atoms.info.get("is_formula") or not len(atoms):
        formula = formula_text(atoms.numbers) if len(atoms) else "no atoms"
        name = str(atoms.info.get("name", formula))
        return table_html([{"name": name, "formula": formula, "atoms": len(atoms)}])
    return frame(structure_page(atoms), height=380)


def structure_page(atoms: "Atoms") -> str:
    """Return a page with one structure in 3D; the viewer is inside it."""
    scene = build_scene(atoms)
    symbols = atoms.get_chemical_symbols()
    data = {
        "atoms": [
            {"elem": symbols[i], "atom": i, "x": x, "y": y, "z": z}
            for i, (x, y, z) in zip(
                scene.atom_index.tolist(), scene.positions.tolist(), strict=True
            )
        ],
        "bonds": scene.bonds.tolist(),
        "cell": scene.cell_edges.tolist(),
        "quaternion": quaternion(scene.rotation),
        "elements": {
            s: {
                "colour": element_colour(ATOMIC_NUMBERS.get(s, 0)),
                "radius": drawn_radius(ATOMIC_NUMBERS.get(s, 0)),
            }
            for s in set(symbols)
        },
    }
    formula = formula_text(atoms.numbers)
    name = str(atoms.info.get("name", formula))
    said = formula if name in (formula, chemical_formula(atoms.numbers)) else f"{name}, {formula}"
    parts = {
        "title": html.escape(name),
        "said": html.escape(f"{said}, {len(atoms)} atoms"),
        "data": script_json(data),
        "licence": resource("vendor/VERSION") + resource("vendor/LICENSE.3Dmol"),
        "viewer": resource("vendor/3Dmol-min.js"),
        "script": resource("structure.js"),
    }
    return fill(resource("structure.html"), parts)


def structures_html(structures: "StructureArrays") -> str:
    """Return a table of structures, and the first of them in 3D."""
    n = len(structures)
    rows = [
        {
            "name": structures.names[i],
            "formula": structures.formula(i),
            "atoms": int(structures.n_atoms[i]),
            "repeats": ", ".join("abc"[k] for k in range(3) if structures.pbc[i, k]) or "no",
        }
        for i in range(min(n, N_ROWS))
    ]
    more = f"{N_ROWS} of {n} structures are shown." if n > N_ROWS else ""
    table = table_html(rows, title=f"{n} structures", notes=[more])
    return table + structure_html(structures.to_atoms(0)) if n else table
