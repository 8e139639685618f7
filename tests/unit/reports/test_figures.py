"""Figures are written whole, the same every time, and show what they claim."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from matplotlib import image

from atomlens.errors import ExplanationError, SettingsError
from atomlens.reports import figures
from atomlens.reports.canvas import ACCENT, Mark, add_marks, new_figure
from atomlens.reports.class_figures import draw_confusion, draw_ranking, draw_reliability
from atomlens.reports.colours import SCORE_COLOURS
from atomlens.reports.figures import (
    draw_calibration,
    draw_learning_curve,
    draw_parity,
)
from atomlens.reports.probabilities import LikeProbability
from atomlens.reports.structure_figure import draw_structure, scale_title
from explained_makers import explained, formula, water
from figure_makers import kept_figures

HISTORY = {
    "epoch": [1.0, 2.0, 3.0],
    "train_loss": [1.0, 0.3, 0.1],
    "validation_mae": [0.5, float("nan"), 0.2],
    "lr": [1e-3, 5e-4, 1e-5],
}


def parity(path: Path) -> Path:
    true = np.linspace(-1, 1, 30)
    return draw_parity(true, true**3, std=0.1 + 0 * true, target="gap", unit="eV", path=path)


def reliability(path: Path) -> Path:
    groups = [LikeProbability(probability=p, share=p**2, n=20) for p in (0.1, 0.12, 0.7)]
    return draw_reliability(
        groups,
        path,
        of="metal",
        share_of="metal",
        error=0.1,
        brier=0.2,
        intervals=[(0.0, 0.3), (0.0, 0.3), (0.4, 0.7)],
    )


DRAWERS: dict[str, Callable[[Path], Path]] = {
    "structure": lambda path: draw_structure(explained(water()), path),
    "parity": parity,
    "learning": lambda path: draw_learning_curve(HISTORY, path, title="a run"),
    "confusion": lambda path: draw_confusion([[8, 2], [1, 9]], ["no", "yes"], path),
    "reliability": reliability,
    "calibration": lambda path: draw_calibration([0.5, 0.9], [0.4, 0.8], path),
}


def has_colour(path: Path, colour: str) -> bool:
    pixels = np.round(image.imread(path)[..., :3] * 255).astype(int)
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return bool((np.abs(pixels - wanted).max(axis=-1) <= 1).sum() > 20)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("name", list(DRAWERS))
def test_the_same_input_gives_the_same_bytes(name: str, suffix: str, tmp_path: Path) -> None:
    first = DRAWERS[name](tmp_path / f"a{suffix}").read_bytes()
    assert len(first) > 1000
    assert DRAWERS[name](tmp_path / f"b{suffix}").read_bytes() == first


@pytest.mark.parametrize("name", list(DRAWERS))
def test_another_ending_is_refused_and_nothing_is_left(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.png, \.svg, \.pdf"):
        DRAWERS[name](tmp_path / "a.bmp")
    assert not list(tmp_path.iterdir())


def test_drawing_leaves_global_settings_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    for draw in DRAWERS.values():
        draw(tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    assert DRAWERS["structure"](tmp_path / "new" / "folder" / "a.png").is_file()


def test_a_place_that_is_no_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        DRAWERS["structure"](tmp_path / "file" / "a.png")


def test_the_highest_and_lowest_atom_show_the_ends_of_the_scale(tmp_path: Path) -> None:
    path = draw_structure(explained(water()), tmp_path / "a.png")
    assert has_colour(path, SCORE_COLOURS[0])
    assert has_colour(path, SCORE_COLOURS[-1])


def test_equal_scores_are_drawn_in_one_colour(tmp_path: Path) -> None:
    c60 = molecule("C60")
    path = draw_structure(explained(c60, scores=np.full(60, 1 / 60)), tmp_path / "a.png")
    assert not has_colour(path, SCORE_COLOURS[-1])


@pytest.mark.parametrize(
    "atoms",
    [
        Atoms("He"),
        molecule("CO2"),
        formula("LiFePO4"),
        bulk("NaCl", "rocksalt", a=5.64, cubic=True),
        bulk("Cu") * (9, 9, 9),
    ],
    ids=["one atom", "linear", "formula", "crystal", "729 atoms"],
)
def test_all_kinds_of_structures_can_be_drawn(atoms: Atoms, tmp_path: Path) -> None:
    assert draw_structure(explained(atoms), tmp_path / "a.png", dpi=60).stat().st_size > 3000


@pytest.mark.parametrize("name", ["$x_{1}$ \\frac", "水分子", "a" * 300, "<&>\"'", "two\nlines"])
def test_odd_names_are_drawn_as_they_are(name: str, tmp_path: Path) -> None:
    assert draw_structure(explained(water(), name=name), tmp_path / "a.svg").is_file()


def test_scores_that_do_not_fit_the_atoms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExplanationError, match=r"sample: scores has shape \(2,\) for 3 atoms"):
        draw_structure(explained(water(), scores=np.ones(2)), tmp_path / "a.png")
    with pytest.raises(ExplanationError, match="score of atom 1 is nan"):
        draw_structure(explained(water(), scores=np.array([0, np.nan, 1])), tmp_path / "a.png")


def test_no_atoms_cannot_be_drawn(tmp_path: Path) -> None:
    nothing = explained(Atoms(), scores=np.zeros(0), scores_std=None, baseline=None)
    with pytest.raises(ExplanationError, match="no atoms"):
        draw_structure(nothing, tmp_path / "a.png")


def test_parity_skips_values_that_are_missing(tmp_path: Path) -> None:
    path = draw_parity(
        [1.0, float("nan"), 3.0], [1.1, 2.0, 2.9], target="x", unit="", path=tmp_path / "a.svg"
    )
    assert path.is_file()


def test_parity_of_nothing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least one pair"):
        draw_parity([], [], target="x", unit="", path=tmp_path / "a.png")
    with pytest.raises(SettingsError, match="got 2 and 1"):
        draw_parity([1, 2], [1], target="x", unit="", path=tmp_path / "a.png")


def test_parity_of_many_points_becomes_a_density_and_stays_small(tmp_path: Path) -> None:
    true = np.random.default_rng(0).normal(size=50_000)
    path = draw_parity(true, true + 0.1, target="x", unit="eV", path=tmp_path / "a.svg")
    assert path.stat().st_size < 400_000


def test_an_empty_history_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="history is empty"):
        draw_learning_curve({"epoch": [1.0], "loss": [float("nan")]}, tmp_path / "a.png")


@pytest.mark.parametrize(
    "history",
    [
        {"train_loss": [1.0]},
        {"validation mae": [0.3, 0.2, 0.0]},
        {"lr": [1e-3, 1e-4]},
        {"loss": [-1.0, -2.0], "val/mae": [1.0, 2.0]},
        {"epoch": [0, 1], "loss": [2.0, 1.0, 0.5]},
    ],
)
def test_histories_of_any_shape_are_drawn(history: dict[str, list[float]], tmp_path: Path) -> None:
    assert draw_learning_curve(history, tmp_path / "a.png").is_file()


@pytest.mark.parametrize("smallest", [2e-4, 1e-4, 1e-5, 1e-7, 1e-10])
def test_epochs_are_whole_and_numbers_beside_a_curve_have_room(
    smallest: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_figures(monkeypatch, figures)
    rates = np.geomspace(9e-4, smallest, 5).tolist()
    draw_learning_curve({**HISTORY, "epoch": [1, 2, 3, 4, 5], "lr": rates}, tmp_path / "a.png")
    axes = kept[0].axes[-1]
    epochs = [tick for tick in axes.get_xticks() if 1 <= tick <= 5]
    assert epochs == [round(tick) for tick in epochs]
    low, high = axes.get_ylim()
    places = axes.transData.transform([(1, y) for y in axes.get_yticks() if low <= y <= high])[:, 1]
    assert len(places) >= 2
    height = axes.get_yticklabels()[0].get_window_extent().height
    assert np.diff(places).min() > 1.1 * height


def test_what_stands_beside_the_scale_has_room_there() -> None:
    plain = explained(water())
    assert scale_title(plain) == ("attention per atom (scann-plus)", "")
    changes = explained(
        water(),
        method="integrated-gradients",
        score_unit="probability of yes",
        model="cgcnn-charge-geometry",
    )
    title, more = scale_title(changes)
    assert title == "integrated gradients per atom"
    assert more == "scores in probability of yes; model cgcnn-charge-geometry"
    little = explained(water(), scores=np.array([0.94, 1.02, 1.04]) / 3)
    assert scale_title(little)[1] == "The scores differ little: 0.94 to 1.04 even shares"


@pytest.mark.parametrize("n_classes", [2, 3, 20, 60])
def test_curves_and_matrices_of_any_number_of_classes_are_drawn(
    n_classes: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes - 1, 80)  # nothing is of the last class
    shares = rng.dirichlet(np.ones(n_classes), 80)
    names = [f"<class> {k} $x_1$" for k in range(n_classes)]
    counts = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(counts, (labels, shares.argmax(axis=1)), 1)
    path = draw_confusion(counts.tolist(), names, tmp_path / "confusion.png", target="k")
    assert path.exists()
    drawn = draw_ranking(labels, shares, names, tmp_path, stem="-k")
    assert bool(drawn) == (n_classes > 2)  # of two classes one is all there is
    for one in drawn:
        assert one.read_bytes()[:4] == b"\x89PNG"


def test_a_share_of_a_row_decides_the_colour_of_a_cell(tmp_path: Path) -> None:
    rare = draw_confusion([[980, 20], [0, 10]], ["no", "yes"], tmp_path / "a.png")
    assert has_colour(rare, ACCENT)


def test_marks_on_a_bar_do_not_cover_each_other(tmp_path: Path) -> None:
    """Six controls of one value, and one in a row of its own that needs no room."""
    marks = [Mark(f"control {i}", "s", ACCENT, [(1.0 + i / 1000, 0)]) for i in range(6)]
    marks.append(Mark("alone", "x", ACCENT, [(1.4, 1)]))
    with new_figure(tmp_path / "marks.png", (4.0, 3.0)) as figure:
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.barh([0, 1], [1.2, 1.0], height=0.6)
        axes.invert_yaxis()
        add_marks(axes, marks)
        offsets = np.array([own.get_offsets()[0] for own in axes.collections])
        seen = axes.transData.transform(offsets) * 72 / figure.dpi
        width = np.sqrt(axes.collections[0].get_sizes()[0])
        low, high = axes.get_xlim()
    apart = np.abs(seen[:6, None] - seen[None, :6]).max(axis=2)
    assert (apart[~np.eye(6, dtype=bool)] > 0.99 * width).all()
    assert offsets[6, 1] == 1
    np.testing.assert_allclose(offsets[:, 0], [p[0] for m in marks for p in m.points])
    assert low < offsets[:, 0].min()
    assert offsets[:, 0].max() < high


def test_a_mark_stands_beside_the_interval_of_its_bar_and_not_on_it(tmp_path: Path) -> None:
    marks = [Mark("control", "s", ACCENT, [(0.95, 0), (0.5, 0), (0.95, 1)])]
    with new_figure(tmp_path / "marks.png", (4.0, 3.0)) as figure:
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.barh([0, 1], [1.0, 1.0], height=0.6)
        add_marks(axes, marks, [(0.9, 1.1, 0), (1.2, 1.4, 1)])
        offsets = np.asarray(axes.collections[0].get_offsets())
        seen = axes.transData.transform(offsets) * 72 / figure.dpi
        middle = axes.transData.transform((0, 0))[1] * 72 / figure.dpi
        width = np.sqrt(axes.collections[0].get_sizes()[0])
    assert abs(seen[0, 1] - middle) > 0.99 * width
    assert offsets[1:, 1].tolist() == [0, 1]  # these hide nothing
