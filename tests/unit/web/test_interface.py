"""The JSON interface: what it answers, whom it refuses, what it never opens."""

import io
import json
import math
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase.io import read

pytest.importorskip("fastapi")

from atomlens.predictor import load
from atomlens.predictor.inputs.rows import read_inputs
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.options import FormsHeard
from atomlens.web.app import MOST_BYTES
from atomlens.web.serving import Running
from atomlens.web.shelf import MOST_ATOMS
from atomlens.web.uploads import label_of
from view_makers import Asker, hold_jobs

XYZ = b"3\nwater\nO 0 0 0.12\nH 0 0.76 -0.48\nH 0 -0.76 -0.48\n"


def test_a_choice_about_nothing_that_was_read_is_told_in_the_end(
    page: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = FormsHeard(DisorderChoice(how="majority"))
    monkeypatch.setattr(page.desk, "heard", heard)
    page.give("CO")
    server = SimpleNamespace(run=lambda sockets: None)
    with socket.socket() as listening:
        running = Running(address="", server=server, listening=listening, heard=heard)
        with pytest.warns(UserWarning, match="disorder majority had no effect: none of the inputs"):
            running.run()
    page.give("Cu 0 0 0", **{"a.vasp": b"Cu\n1\n3 0 0\n0 3 0\n0 0 3\nCu\n1\nDirect\n0 0 0\n"})
    assert not heard.idle()


# ---- who may ask


@pytest.mark.parametrize("path", ["/", "/api/models", "/openapi.json", "/api/jobs/x", "/nowhere"])
def test_without_the_token_nothing_is_answered(page: Asker, path: str) -> None:
    for headers in ({"x-atomlens-token": ""}, {"x-atomlens-token": "a-token-for-test"}):
        answer = page.client.get(path, headers=headers)
        assert answer.status_code == 401
        assert "atomlens view" in answer.json()["detail"]


def test_the_token_may_stand_in_the_address(page: Asker) -> None:
    token = page.client.headers.pop("x-atomlens-token")
    try:
        assert page.client.get("/api/models").status_code == 401
        assert page.client.get(f"/api/models?token={token}").status_code == 200
    finally:
        page.client.headers["x-atomlens-token"] = token


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:8765", "", "[", "0.0.0.0"]
)
def test_another_host_is_refused_whatever_the_token(page: Asker, host: str) -> None:
    answer = page.client.get("/api/models", headers={"host": host})
    assert answer.status_code == 403
    assert "127.0.0.1" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:1", "[::1]:99", "LOCALHOST"])
def test_this_machine_is_answered_by_each_of_its_names(page: Asker, host: str) -> None:
    assert page.client.get("/api/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_the_page_of_another_origin_is_refused(page: Asker, origin: str) -> None:
    assert page.client.get("/api/models", headers={"origin": origin}).status_code == 403


def test_answers_are_for_no_cache_no_frame_and_no_other_page(page: Asker) -> None:
    for path in ("/", "/api/models", "/nowhere"):
        headers = page.client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
    policy = page.client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_the_page_holds_all_that_it_needs(page: Asker) -> None:
    text = page.client.get("/").text
    assert not re.findall(r"\{\{\w+\}\}", text)
    for sign in ('src="http', "src='http", "@import", '<link rel="stylesheet"'):
        assert sign not in text
    assert len(text.encode()) < 1_000_000


# ---- how much


def test_a_body_beyond_the_bound_is_refused_before_it_is_read(page: Asker) -> None:
    answer = page.client.post(
        "/api/structures", content=b"", headers={"content-length": "99999999"}
    )
    assert answer.status_code == 413
    assert "MB" in answer.json()["detail"]


def test_a_body_that_hides_its_size_is_cut_off(page: Asker) -> None:
    sent = 0

    def pieces():
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.xyz"\r\n\r\n'
        while sent < 2 * MOST_BYTES:
            sent += 1 << 20
            yield b" " * (1 << 20)
        yield b"\r\n--x--\r\n"

    answer = page.client.post(
        "/api/structures",
        content=pieces(),
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 413


def test_a_structure_with_too_many_atoms_is_a_message(page: Asker) -> None:
    rows = "".join(f"H 0 0 {i}\n" for i in range(MOST_ATOMS + 1))
    found = page.give(**{"long.xyz": f"{MOST_ATOMS + 1}\n\n{rows}".encode()})
    assert not found["added"]
    assert "atomlens predict" in found["failures"][0]["message"]


# ---- what is given


def test_files_and_texts_become_structures_in_their_order(page: Asker) -> None:
    found = page.give("CCO ethanol\nformula:TiO2\n", **{"water.xyz": XYZ})
    assert [row["name"] for row in found["added"]] == ["water", "ethanol", "TiO2"]
    assert [row["kind"] for row in found["added"]] == ["molecule", "molecule", "formula"]
    assert page.client.get("/api/structures").json() == found["added"]


def test_a_pasted_file_is_read_as_that_file(page: Asker) -> None:
    found = page.give(XYZ.decode())
    assert [row["formula_plain"] for row in found["added"]] == ["H2O"]


def test_a_broken_file_is_the_sentence_of_the_command(page: Asker) -> None:
    content = XYZ.replace(b"0.76", b"zero", 1)
    found = page.give(**{"bad.xyz": content, "empty.cif": b"", "good.xyz": XYZ})
    assert [row["name"] for row in found["added"]] == ["good"]
    messages = [failure["message"] for failure in found["failures"]]
    assert messages[0].startswith("bad.xyz: ")
    assert messages[1] == "empty.cif: the file is empty; get a complete copy"
    assert not any("/tmp" in message or "atomlens-view" in message for message in messages)


BROKEN = {
    "cut.cif": "data_x\n_cell_length_a 4\nloop_\n_atom_site_label\n",
    "POSCAR": "two lines\n1.0\n",
    "no.mol": "\n  x\n\n  9  9  0  0\n",
    "html.xyz": "<!doctype html><html></html>",
    "list.json": "[1, 2",
    "rows.csv": "name,gap\na,1\n",
    "picture.png": "\x89PNG",
    "far.xyz": "1\n\nQq 0 0 0\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_in_the_words_of_the_command(
    page: Asker, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = BROKEN[name].encode("latin-1")
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    expected = [item.message for item in read_inputs([name])[0]]
    found = page.give(**{name: content})
    assert [failure["message"] for failure in found["failures"]] == expected
    assert found["added"] == []


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x.xyz",
        "a/../../b.xyz",
        "x\0y.xyz",
        "..",
        "~",
    ],
)
def test_the_name_of_a_file_is_a_label(page: Asker, name: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.parent.iterdir())
    found = page.give(**{name: XYZ})
    told = json.dumps(found)
    assert "root:" not in told
    assert "/etc" not in told
    assert sorted(tmp_path.parent.iterdir()) == before
    kinds = {"..\\..\\x.xyz": "x", "a/../../b.xyz": "b", "x\0y.xyz": "x_00y"}
    assert [row["name"] for row in found["added"]] == ([kinds[name]] if name in kinds else [])


@pytest.mark.parametrize("table", ["t.csv", "t.jsonl", "t.tsv"])
def test_a_table_that_names_files_is_refused(page: Asker, table: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xyz"
    secret.write_bytes(XYZ)
    rows = {
        "t.csv": f"file,gap\n{secret},1\n",
        "t.tsv": f" File \tgap\n{secret}\t1\n",
        "t.jsonl": json.dumps({"file": str(secret)}) + "\n",
    }
    found = page.give(**{table: rows[table].encode()})
    assert not found["added"]
    assert "does not open" in found["failures"][0]["message"]


def test_a_text_is_never_a_path(page: Asker, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xyz"
    secret.write_bytes(XYZ)
    found = page.give(f"{secret}\n{tmp_path}/*.xyz\n{tmp_path}")
    assert not found["added"]
    assert len(found["failures"]) == 3


def test_a_table_of_smiles_gives_a_structure_a_row(page: Asker) -> None:
    found = page.give(**{"t.csv": b"name,smiles\nmethane,C\nbroken,C(\n"})
    assert [row["name"] for row in found["added"]] == ["methane"]
    assert found["failures"][0]["message"].startswith("t.csv, broken: ")


@pytest.mark.parametrize(
    ("line", "name", "formula"),
    [
        ("CCO\tethanol", "ethanol", "C2H6O"),
        ("CCO 12", "12", "C2H6O"),
        ("CCO # of the shelf", "of the shelf", "C2H6O"),
        ("LiFePO4 olivine", "olivine", "LiFePO4"),
        ("O 0 0 0.12\nH 0 0.76 -0.48\nH 0 -.76 -4.8E-1", "pasted", "H2O"),
    ],
)
def test_a_pasted_line_is_what_it_says(page: Asker, line: str, name: str, formula: str) -> None:
    result = page.give(line)
    assert not result["failures"]
    assert [(s["name"], s["formula_plain"]) for s in result["added"]] == [(name, formula)]


@pytest.mark.parametrize(
    "line", ["CCO CCN", "H2O + CO2", "CuSO4 5H2O", "C\nO 0 0 0.12", "CCO -> CCN", "TiO2; ZnO"]
)
def test_a_pasted_line_that_says_more_than_one_thing_is_a_message(page: Asker, line: str) -> None:
    result = page.give(line)
    assert len(result["failures"]) == 1
    assert [s["name"] for s in result["added"]] == line.splitlines()[:-1]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a" * 300 + ".xyz", "a" * 116 + ".xyz"),
        ("水" * 300 + ".cif.gz", ".cif.gz"),
        (".xyz", "file.xyz"),
        ("..", "file"),
        ("C:\\own\\a b.cif", "a_b.cif"),
        ("archive.v1.2.cif", "archive.v1.2.cif"),
        ("x." + "y" * 200, ""),
    ],
)
def test_a_label_keeps_what_tells_the_kind_of_a_file(name: str, label: str) -> None:
    found = label_of(name)
    assert found == label or ((label == "" or label[0] == ".") and found.endswith(label))
    assert 0 < len(found) <= 120


def test_equal_names_are_told_apart(page: Asker) -> None:
    assert page.give("C\nC")["added"][1]["name"] == "C (2)"


def test_nothing_is_a_message(page: Asker) -> None:
    answer = page.client.post("/api/structures", data={"text": "  "})
    assert answer.status_code == 400
    assert "nothing to read" in answer.json()["detail"]


# ---- what is answered


def test_the_answer_is_that_of_the_model(page: Asker) -> None:
    one = page.one("CCO")
    (row,) = page.job("/api/predictions", {"model": "qm9", "structures": [one]})["result"]
    expected = load("box:qm9").predict("CCO")
    given = row["values"]["homo"]
    place = [t.name for t in expected.targets].index("homo")
    assert given["value"] == pytest.approx(expected.values[0, place], abs=1e-6)
    assert given["std"] == pytest.approx(expected.std[0, place], abs=1e-6)
    assert given["low"] == pytest.approx(expected.interval_low[0, place], abs=1e-6)
    assert given["high"] == pytest.approx(expected.interval_high[0, place], abs=1e-6)
    assert row["unlike"] == pytest.approx(expected.unlike[0], abs=0.06)


def test_a_structure_that_the_model_cannot_take_says_why(page: Asker) -> None:
    page.give("CCO\n[U]")
    rows = page.job("/api/predictions", {"model": "qm9"})["result"]
    strange = [row["error"] or "no error is estimated" in row["warning"] for row in rows]
    assert [bool(one) for one in strange] == [False, True], rows


def test_the_atoms_are_scored_by_each_method_of_the_model(
    page: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atomlens.explain.masks.N_STEPS", 12)
    one = page.one("CO")
    description = page.ended(page.client.get("/api/models/qm9").json())["result"]
    assert description["methods"][0] == "contribution"
    assert [t["name"] for t in description["targets"]][:2] == ["homo", "lumo"]
    for method in description["methods"]:
        asked = {"model": "qm9", "structure": one, "method": method, "target": "lumo"}
        job = page.job("/api/explanations", asked)
        assert job["state"] == "done", (method, job["error"])
        (shown,) = job["result"]["structures"]
        assert (shown["method"], shown["target"]) == (method, "lumo")
        assert len(shown["scores"]) == 6
        assert all(math.isfinite(score) for score in shown["scores"])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"model": "qm8"}, "Did you mean 'qm9'"),
        ({"model": "../qm9"}, "There is no model"),
        ({"model": "/etc"}, "There is no model"),
        ({"method": "magic"}, "There is no explanation method"),
        ({"target": "homos"}, "Did you mean 'homo'"),
        ({"at": 3.0}, "is none"),
    ],
)
def test_what_does_not_exist_is_a_sentence(page: Asker, change: dict, part: str) -> None:
    asked = {"model": "qm9", "structure": page.one("C"), **change}
    answer = page.client.post("/api/explanations", json=asked)
    found = answer.json()
    told = found["detail"] if answer.status_code != 200 else page.ended(found)["error"]
    assert part in told


def test_a_structure_that_is_gone_is_a_sentence(page: Asker) -> None:
    one = page.one("C")
    assert page.client.delete(f"/api/structures/{one}").status_code == 204
    for path, body in (
        ("/api/explanations", {"model": "qm9", "structure": one}),
        ("/api/predictions", {"model": "qm9", "structures": [one]}),
        (f"/api/structures/{one}/changes", {"atom": 0, "element": "N"}),
    ):
        answer = page.client.post(path, json=body)
        assert answer.status_code == 404
        assert "not in the table" in answer.json()["detail"]


def test_a_bad_question_is_a_sentence(page: Asker) -> None:
    answer = page.client.post("/api/explanations", json={"model": "qm9"})
    assert answer.status_code == 422
    said = answer.json()["detail"]  # the words are pydantic's, whose versions differ in a letter
    assert said.lower() == "structure: field required."


def test_a_change_is_a_new_structure_beside_the_old_one(page: Asker) -> None:
    one = page.one("CCO")
    changed = page.job(f"/api/structures/{one}/changes", {"atom": 2, "element": "n"})["result"]
    assert changed["formula_plain"] == "C2H7N"
    assert (changed["parent"], changed["change"]) == (one, "O2 → N")
    rows = page.job("/api/predictions", {"model": "qm9", "structures": [one, changed["id"]]})
    before, after = (row["values"]["homo"]["value"] for row in rows["result"])
    assert after == pytest.approx(
        load("box:qm9").predict("CCN").values[0, 0], abs=2e-3
    )  # ethylamine, not an ethanol with N in it
    assert before != after


def test_a_change_that_valences_forbid_is_a_sentence(page: Asker) -> None:
    job = page.job(f"/api/structures/{page.one('CCO')}/changes", {"atom": 1, "element": "F"})
    assert job["state"] == "failed"
    assert "valences" in job["error"]


# ---- what is taken away


def test_the_table_is_that_of_the_command(page: Asker) -> None:
    page.give("C methane\nCCO")
    text = page.client.get("/api/table.csv?model=qm9").text
    header, *rows = text.splitlines()
    assert header.startswith("name,source,formula,n_atoms,homo,homo_std")
    assert [row.split(",")[0] for row in rows] == ["methane", "CCO"]


def test_structures_leave_as_extended_xyz(page: Asker) -> None:
    one = page.give("C methane\nCCO")["added"][1]["id"]
    frames = read(
        io.StringIO(page.client.get("/api/table.extxyz?model=qm9").text), ":", format="extxyz"
    )
    assert [len(frame) for frame in frames] == [5, 9]
    assert frames[0].info["homo"] < -5
    scored = page.client.get(f"/api/table.extxyz?model=qm9&structures={one}").text
    (frame,) = read(io.StringIO(scored), ":", format="extxyz")
    assert np.isfinite(frame.arrays["contribution"]).all()


@pytest.mark.parametrize(("draw", "sign"), [("2d", "class='disc'"), ("3d", "<svg")])
def test_pictures_leave_as_svg(page: Asker, draw: str, sign: str) -> None:
    path = f"/api/picture.svg?model=qm9&structure={page.one('CCO')}&draw={draw}"
    answer = page.client.get(path)
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert sign in answer.text


def test_a_drawing_that_does_not_exist_is_a_sentence(page: Asker) -> None:
    path = f"/api/picture.svg?model=formula-gap&structure={page.one('formula:TiO2')}&draw=2d"
    answer = page.client.get(path)
    assert answer.status_code == 422
    assert "no drawing in 2D" in answer.json()["detail"]


def test_the_page_itself_leaves(page: Asker) -> None:
    ids = [page.one("CCO"), page.one("CCN")]
    job = page.job("/api/pages", {"model": "qm9", "structures": ids, "target": "gap"})
    assert job["result"].startswith("<!doctype html>")
    assert page.client.headers["x-atomlens-token"] not in job["result"]
    assert "CCN" in job["result"]


def test_the_interface_describes_itself(page: Asker) -> None:
    described = page.client.get("/openapi.json").json()
    assert {"/api/structures", "/api/predictions", "/api/explanations", "/api/jobs/{job}"} <= set(
        described["paths"]
    )
    schemes = described["components"]["securitySchemes"].values()
    assert {scheme["in"] for scheme in schemes} == {"header", "query"}
    assert page.client.get("/docs").status_code == 404  # it would load scripts from a network


# ---- work that takes a while


def test_a_long_job_says_how_far_it_is_and_can_be_stopped(
    page: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_jobs(monkeypatch)
    lines = "\n".join(f"{'C' * (3 + i % 20)}O m{i}" for i in range(1500))
    job = page.client.post("/api/structures", data={"text": lines}).json()
    while not job["done"]:
        assert job["state"] in ("waiting", "running")
        job = page.client.get(f"/api/jobs/{job['id']}").json()
        time.sleep(0.05)
    assert job["total"] == 1500
    stopped = page.client.delete(f"/api/jobs/{job['id']}").json()
    assert page.ended(stopped)["state"] == "stopped"
    monkeypatch.undo()
    assert page.client.get("/api/structures").json() == []
    assert page.give("C")["added"]  # the bench is free again


def test_a_stopped_job_ends_inside_a_network(page: Asker) -> None:
    desk, one = page.desk, page.desk.shelf.get(page.one("C"))
    model = desk.library.get("qm9")

    def work(job):
        def piece():
            job.stop.set()
            return model.predict(one.atoms)

        return desk.jobs.bench.do(job, piece)

    job = desk.jobs.start("test", work)
    job.ended.result(timeout=600)
    assert job.state == "stopped"
    assert job.result is None


def test_a_job_that_nobody_knows_is_a_sentence(page: Asker) -> None:
    for ask in (page.client.get, page.client.delete):
        answer = ask("/api/jobs/nobody")
        assert answer.status_code == 404
        assert "no such job" in answer.json()["detail"]


def test_too_many_jobs_are_refused_and_a_bug_is_a_sentence(page: Asker) -> None:
    gate = threading.Event()
    jobs = [page.desk.jobs.start("test", lambda _: gate.wait(600)) for _ in range(32)]
    try:
        answer = page.client.post("/api/structures", data={"text": "C"})
        assert answer.status_code == 400
        assert "waiting already" in answer.json()["detail"]
    finally:
        gate.set()
    for job in jobs:
        job.ended.result(timeout=600)
    broken = page.desk.jobs.start("test", lambda _: 1 / 0)
    broken.ended.result(timeout=600)
    assert broken.state == "failed"
    assert "bug in atomlens (ZeroDivisionError" in broken.error


def test_two_requests_at_once_get_the_answers_of_two_in_turn(page: Asker) -> None:
    smiles = ["CCO", "CCN", "c1ccccc1", "CC=O"]
    ids = [page.one(s) for s in smiles]
    methods = ["contribution", "occlusion", "integrated-gradients", "gradient"]

    def scores(place: int) -> list[float]:
        asked = {"model": "qm9", "structure": ids[place], "method": methods[place]}
        return page.job("/api/explanations", asked)["result"]["structures"][0]["scores"]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(scores, range(4)))
    model = load("box:qm9")
    for place in range(4):
        alone = model.explain(smiles[place], method=methods[place])
        np.testing.assert_allclose(together[place], alone.scores, rtol=1e-4, atol=1e-6)


# ---- texts of two meanings


def test_a_text_of_two_meanings_is_a_formula_to_models_of_formulas(page: Asker) -> None:
    number = page.one("CO")
    expected = load("box:formula-gap").predict(["formula:CO", "smiles:CO"]).values[:, 0]
    answers = {
        model: page.job("/api/predictions", {"model": model})["result"][0]
        for model in ("formula-gap", "qm9")
    }
    assert answers["formula-gap"]["taken_for"] == "CO"
    assert answers["formula-gap"]["values"]["band_gap"]["value"] == pytest.approx(expected[0])
    assert "taken_for" not in answers["qm9"]
    assert "read as SMILES" in answers["qm9"]["warning"]
    asked = {"model": "formula-gap", "structure": number}
    shown = page.job("/api/explanations", asked)["result"]["structures"][0]
    assert shown["is_formula"]
    assert len(shown["symbols"]) == 2
    table = page.client.get("/api/table.csv?model=formula-gap").text
    assert "CO,CO,CO,2," in table  # name, source, formula
    frames = page.client.get("/api/table.extxyz?model=formula-gap").text
    assert frames.startswith("2\n")


def test_what_is_changed_is_what_the_model_sees(page: Asker) -> None:
    number = page.one("CO")
    asked = {"atom": 1, "element": "S", "model": "formula-gap"}
    made = page.job(f"/api/structures/{number}/changes", asked)["result"]
    assert made["formula_plain"] == "CS"
    made = page.job(f"/api/structures/{number}/changes", {"atom": 1, "element": "S"})["result"]
    assert made["n_atoms"] == 6
    rows = page.job("/api/predictions", {"model": "formula-gap"})["result"]
    assert [row.get("taken_for") for row in rows] == ["CO", None, None]


def test_the_table_says_which_file_or_text_each_row_is_of(page: Asker) -> None:
    page.give("OCC ethanol", **{"w.xyz": XYZ})
    lines = page.client.get("/api/table.csv?model=qm9").text.splitlines()
    assert lines[0].startswith("name,source,formula,n_atoms,homo,homo_std,homo_low,homo_high")
    assert [line.split(",")[1] for line in lines[1:]] == ["w.xyz", "OCC ethanol"]


def test_a_file_that_repeats_our_words_is_no_text_of_two_meanings(page: Asker) -> None:
    from atomlens.structures.text import BOTH_NOTICE

    said = json.dumps([BOTH_NOTICE]).replace('"', '\\"')
    for more in ("smiles=CO", "smiles=12", ""):
        head = f'Properties=species:S:1:pos:R:3 {more} warnings="_JSON {said}"'
        content = f"2\n{head}\nC 0 0 0\nO 0 0 1.13\n".encode()
        number = page.give(**{"w.extxyz": content})["added"][0]["id"]
        asked = {"model": "formula-gap", "structures": [number]}
        (row,) = page.job("/api/predictions", asked)["result"]
        assert "taken_for" not in row
        assert "this is a molecule" in row["warning"]
