"""Small archives of the form of the public deposits, and a server that hands them out badly."""

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

N_FRAMES = 12
"""Frames of each of the three kinds of structure in a small deposit."""


def xyz(symbols: list[str], positions: np.ndarray, title: str) -> str:
    rows = [f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(symbols, positions, strict=True)]
    return "\n".join([str(len(symbols)), title, *rows, ""])


def ring(n: int, generator: np.random.Generator) -> np.ndarray:
    """(n, 3) a ring with bonds of about 1.4 Å."""
    angles = 2 * np.pi * np.arange(n) / n
    flat = np.stack([np.cos(angles), np.sin(angles), np.zeros(n)], axis=1)
    return flat * 0.7 / np.sin(np.pi / n) + generator.normal(scale=0.03, size=(n, 3))


def fullerene_members() -> dict[str, str]:
    """Titles of bare numbers, with tabulators, and a relaxed cage without values."""
    generator = np.random.default_rng(0)
    members = {}
    for n in (6, 7, 8):
        frames = [
            xyz(["C"] * n, ring(n, generator), f"{-5.5 + i / 100}\t{-4.0 - i / 100}\t{-1036.5 * n}")
            for i in range(N_FRAMES)
        ]
        members[f"fullerene/C{n}.xyz"] = "\n".join(frames)
    members["fullerene/C6_opt.xyz"] = xyz(["C"] * 6, ring(6, generator), "X X X")
    members["__MACOSX/fullerene/._C6.xyz"] = "not a structure"
    return members


def pt_graphene_members() -> dict[str, str]:
    generator = np.random.default_rng(1)
    members = {}
    for n in (6, 7, 8):
        frames = []
        for i in range(N_FRAMES):
            positions = np.vstack([ring(n, generator), [0.0, 0.0, 2.1]])
            frames.append(xyz(["C"] * n + ["Pt"], positions, f"{-900.0 + i / 4} -902.5"))
        members[f"pt_graphene/{n}.xyz"] = "".join(frames)
    return members


def smfe12_members() -> dict[str, str]:
    """One file a crystal, in folders of folders; the value is a quoted key of the title."""
    generator = np.random.default_rng(2)
    grid = np.stack(np.meshgrid(range(3), range(3), range(2), indexing="ij"), axis=-1)
    sites = 2.6 * grid.reshape(-1, 3)[:13]
    title = 'Lattice="7.8 0.0 0.0 0.0 7.8 0.0 0.0 0.0 5.2" Properties=species:S:1:pos:R:3 '
    members = {}
    for element in ("Mo", "Zn", "Ti"):
        for i in range(N_FRAMES):
            symbols = ["Sm"] + ["Fe"] * 11 + [element]
            positions = sites + generator.normal(scale=0.03, size=(13, 3))
            text = xyz(symbols, positions, f'{title}e_f="{-0.05 - i / 1000}"')
            members[f"smfe12/single/{element}_{i}.xyz"] = text
    return members


def cif(elements: list[str], length: float) -> str:
    places = ["0 0 0", "0.5 0.5 0.5"]
    sites = [f" {e} {e}{i} {places[i]} 1" for i, e in enumerate(elements)]
    lengths = [f"_cell_length_{x} {length:.6f}" for x in "abc"]
    angles = [f"_cell_angle_{x} 90.0" for x in ("alpha", "beta", "gamma")]
    columns = ["type_symbol", "label", "fract_x", "fract_y", "fract_z", "occupancy"]
    loop = ["loop_", *(f" _atom_site_{c}" for c in columns)]
    operation = ["_symmetry_space_group_name_H-M 'P 1'", "loop_", " _symmetry_equiv_pos_as_xyz"]
    head = ["data_x", *lengths, *angles, *operation, "  'x, y, z'"]
    return "\n".join([*head, *loop, *sites])


def mp_entries() -> list[dict[str, Any]]:
    kinds = (["Na", "Cl"], ["Cs", "I"], ["Fe"])
    return [
        {
            "material_id": f"mp-{100 * k + i}",
            "structure": cif(elements, 4.0 + i / 50),
            "formation_energy_per_atom": -1.5 + i / 10,
            "band_gap": 0.0 if elements == ["Fe"] else 3.0 + i / 10,
            "graph": {"bond": [[1, 2], [3]]},
        }
        for k, elements in enumerate(kinds)
        for i in range(N_FRAMES)
    ]


FINDER_FOLDERS = {
    "formation_energy": -1.0,
    "energy_per_atom": -5.0,
    "bandgap": 2.0,
    "refractive_index": 1.8,
    "log_kvrh": 1.9,
    "log_gvrh": 1.6,
}
"""Value of the first row by folder; three of the six are named in the authors' README."""


def finder_members() -> dict[str, str]:
    """Three files a property, columns as the authors' code reads them, CIF text quoted."""
    crystals = [
        (f"mp-{100 * k + i}", formula, cif(elements, 4.0 + i / 50))
        for k, (formula, elements) in enumerate(
            [("NaCl", ["Na", "Cl"]), ("CsI", ["Cs", "I"]), ("FeAl", ["Fe", "Al"])]
        )
        for i in range(N_FRAMES)
    ]
    members = {}
    for folder, first in FINDER_FOLDERS.items():
        rows = [
            [name, formula, f"{first + row / 100:.4f}", f'"{text}"']
            for row, (name, formula, text) in enumerate(crystals)
        ]
        parts = {"train": rows[::2], "val": rows[1::4], "test": rows[3::4]}
        for part, chosen in parts.items():
            lines = ["ID,formula,target,cif", *(",".join(row) for row in chosen)]
            members[f"MP_2021_July_no_polymorph/{folder}/{part}.csv"] = "\n".join(lines) + "\n"
    members["__MACOSX/MP_2021_July_no_polymorph/bandgap/._train.csv"] = "not a table"
    return members


def qm9_file(number: int, symbols: str, positions: list[list[float]], values: list[float]) -> str:
    """One molecule in the dialect of the deposit."""
    numbers = "\t".join(repr(v) for v in values)
    rows = [
        "\t".join([s, *(repr(x).replace("e", "*^") for x in row), "-0.5"])
        for s, row in zip(symbols, positions, strict=True)
    ]
    tail = ["1341.307\t1341.3284", "C\tC\t", "InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4", ""]
    return "\n".join([str(len(symbols)), f"gdb {number}\t{numbers}\t", *rows, *tail])


def qm9_members() -> dict[str, str]:
    generator = np.random.default_rng(3)
    members = {}
    number = 3 * N_FRAMES + 2
    for symbols in ("CHHHH", "NHHH", "OHH"):
        for _ in range(N_FRAMES):
            n = len(symbols) - 1
            positions = np.vstack([[1.2e-6, 0.0, 0.0], 1.1 * np.eye(3)[:n]])
            positions = np.vstack([positions, -1.1 * np.eye(3)[: n - 3]]) if n > 3 else positions
            positions = (positions + generator.normal(scale=0.02, size=positions.shape)).tolist()
            values = [float(number + k / 8) for k in range(15)]
            members[f"dsgdb9nsd_{number:06d}.xyz"] = qm9_file(number, symbols, positions, values)
            number -= 1  # a tar need not be in order
    for number in (1, 2):
        members[f"dsgdb9nsd_{number:06d}.xyz"] = qm9_file(number, "O", [[0.0] * 3], [1.0] * 15)
    return members


UNCHARACTERIZED = """\
List of molecules that failed
=============================
Columns: 3
    Index   Before   After
        1   O        OO
        2   C        CO
=============================
"""


def zip_of(members: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


def tar_of(members: dict[str, str], compression: str = "gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return stream.getvalue()


def small_deposit(name: str) -> dict[str, bytes]:
    """Return the files of a deposit, by name."""
    if name == "fullerene-md":
        return {"fullerene.zip": zip_of(fullerene_members())}
    if name == "pt-graphene-md":
        return {"pt_graphene.zip": zip_of(pt_graphene_members())}
    if name == "smfe12-cd":
        return {"smfe12.zip": zip_of(smfe12_members())}
    if name == "mp-2018":
        text = json.dumps(mp_entries())
        return {"mp.2018.6.1.json.zip": zip_of({"mp.2018.6.1.json": text})}
    if name == "finder-mp":
        return {"MP_2021_July_no_polymorph.zip": zip_of(finder_members())}
    if name == "qm9-figshare":
        return {
            "dsgdb9nsd.xyz.tar.bz2": tar_of(qm9_members(), "bz2"),
            "uncharacterized.txt": UNCHARACTERIZED.encode(),
        }
    raise AssertionError(name)


DEPOSITED = ("fullerene-md", "pt-graphene-md", "smfe12-cd", "mp-2018", "finder-mp", "qm9-figshare")


def put(name: str, folder: Path) -> Path:
    """Write the files of a small deposit into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in small_deposit(name).items():
        (folder / file).write_bytes(content)
    return folder


class DepositServer:
    """Serves bytes by path on 127.0.0.1, with the faults that a test asks for."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.cuts: list[int] = []
        """Each next answer breaks off after so many bytes of its body."""
        self.refusals: list[int] = []
        """Each next answer is this status instead."""
        self.knows_ranges = True
        self.asked: list[tuple[str, str]] = []
        """(path, Range) of every request."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.asked.append((request.path, wanted))
        content = self.contents.get(request.path)
        if self.refusals or content is None:
            request.send_response(self.refusals.pop(0) if self.refusals else 404)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = int(wanted[6:-1]) if wanted and self.knows_ranges else 0
        if start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            request.send_header("Content-Range", place)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        body = content[start:]
        request.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)
        request.close_connection = True

    def add_zenodo(self, number: str, files: dict[str, bytes]) -> None:
        """Serve a record in the way of Zenodo, behind this server as a mirror."""
        listed = []
        for name, content in files.items():
            address = f"zenodo.org/api/records/{number}/files/{name}/content"
            self.contents[f"/{address}"] = content
            checksum = "md5:" + hashlib.md5(content).hexdigest()
            links = {"self": f"https://{address}"}
            listed.append({"key": name, "size": len(content), "checksum": checksum, "links": links})
        record = {"files": listed, "metadata": {"license": {"id": "cc-by-4.0"}}}
        self.contents[f"/zenodo.org/api/records/{number}"] = json.dumps(record).encode()

    def add_figshare(self, number: str, files: dict[str, bytes]) -> None:
        """Serve an article in the way of figshare, behind this server as a mirror."""
        listed = []
        for k, (name, content) in enumerate(files.items()):
            self.contents[f"/ndownloader.figshare.com/files/{k}"] = content
            address = f"https://ndownloader.figshare.com/files/{k}"
            md5 = hashlib.md5(content).hexdigest()
            listed.append(
                {"name": name, "size": len(content), "computed_md5": md5, "download_url": address}
            )
        record = {"files": listed, "license": {"name": "MIT"}}
        self.contents[f"/api.figshare.com/v2/articles/{number}"] = json.dumps(record).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
