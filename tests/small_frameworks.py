"""A small package with files like those of CoRE-MOF; importing it would fail."""

import csv
import io
import tarfile
from pathlib import Path

SUBSETS = {"core-mof": "2019-ASR", "core-mof-fsr": "2019-FSR"}
"""Data set and the name of its files."""

METALS = ("Zn", "Co", "Ni", "Cu", "Mg")

COLUMNS = (
    *("filename", "LCD", "PLD", "LFPD", "cm3_g", "ASA_m2_cm3", "ASA_m2_g", "NASA_m2_cm3"),
    *("NASA_m2_g", "AV_VF", "AV_cm3_g", "NAV_cm3_g", "All_Metals", "Has_OMS", "", ""),
)


def cif(metal: str, side: float, oxygen: float = 0.5) -> str:
    """A cubic oxide; the oxygen's place on the diagonal may be moved onto the metal."""
    return "\n".join(
        [
            "data_image0",
            *(f"_cell_length_{letter} {side}" for letter in "abc"),
            *(f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")),
            '_symmetry_space_group_name_H-M "P 1"',
            "loop_",
            "  _atom_site_label",
            "  _atom_site_occupancy",
            *(f"  _atom_site_fract_{axis}" for axis in "xyz"),
            "  _atom_site_type_symbol",
            f"  {metal}1 1.0000 0.0 0.0 0.0 {metal}",
            f"  O1 1.0000 {oxygen} {oxygen} {oxygen} O",
        ]
    )


def row(name: str, number: int) -> list[object]:
    """Numbers that tell the row and the column."""
    sizes = [number + k / 100 for k in range(11)]
    return [name, *sizes, "Zn", "Yes" if number % 2 else "No", "", ""]


def put_frameworks(
    folder: Path, n: int = 30, extra: dict[str, str] | None = None, rows: tuple[str, ...] = ()
) -> Path:
    """Write the package and return the folder to be put on the path.

    ``extra`` are further CIF files by name, ``rows`` further names in the table.
    """
    package = folder / "CoRE_MOF"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    files = {f"MOF{i:02d}_clean": cif(METALS[i % len(METALS)], 4 + i / 10) for i in range(n)}
    names = [*files, *rows]
    files |= extra or {}
    for subset in SUBSETS.values():
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(COLUMNS)
        writer.writerows(row(name, number) for number, name in enumerate(names))
        (package / "data" / f"{subset}.csv").write_text(table.getvalue())
        with tarfile.open(package / "data" / f"{subset}.tar.xz", "w:xz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(f"{name}.cif")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
    return folder
