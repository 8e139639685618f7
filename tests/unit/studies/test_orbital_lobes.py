"""Pictures of orbitals: surfaces of known functions."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.reports.projection import Projection
from atomlens.studies.orbitals.lobes import Volume, Window, render_lobes
from atomlens.studies.orbitals.orbital_figure import OrbitalRow, draw_orbitals

AXIS = np.linspace(-3.0, 3.0, 41)
X, Y, Z = np.meshgrid(AXIS, AXIS, AXIS, indexing="ij")
GAUSSIAN = np.exp(-(X**2 + Y**2 + Z**2) / 2)
WINDOW = Window(-3.0, 3.0, -3.0, 3.0)
FAR = Projection(centre=np.zeros(3), rotation=np.eye(3), eye=1e4, depth_range=(-1.0, 1.0))


def _volume(values: np.ndarray) -> Volume:
    return Volume(values=values, origin=np.full(3, -3.0), spacing=float(AXIS[1] - AXIS[0]))


def _image(values: np.ndarray) -> np.ndarray:
    return render_lobes(_volume(values), FAR, WINDOW, pixels_per_angstrom=10.0)


def test_the_surface_of_a_gaussian_holds_the_share_that_was_asked() -> None:
    level = _volume(GAUSSIAN).surface_level(0.65)
    radius = np.sqrt(-2 * np.log(level))
    # the density exp(-r²) in three dimensions: 65 % lie within r² = 1.641
    assert radius**2 == pytest.approx(1.641, abs=0.08)


def test_a_ball_is_a_disc_of_its_radius_in_one_colour() -> None:
    image = _image(GAUSSIAN)
    level = _volume(GAUSSIAN).finer().surface_level()
    area = np.pi * -2 * np.log(level)
    assert (image[..., 3] > 0.3).sum() / 10.0**2 == pytest.approx(area, rel=0.05)
    seen = image[image[..., 3] > 0.3]
    assert (seen[:, 2] > seen[:, 0]).all()  # blue


def test_the_lobes_of_a_p_orbital_have_two_colours_on_their_sides() -> None:
    image = _image(X * GAUSSIAN)
    middle = image.shape[1] // 2
    left, right = image[:, : middle - 3], image[:, middle + 3 :]
    left, right = left[left[..., 3] > 0.3], right[right[..., 3] > 0.3]
    assert (left[:, 0] > left[:, 2]).all()
    assert (right[:, 2] > right[:, 0]).all()


def test_the_nearer_lobe_hides_the_other() -> None:
    image = _image(Z * GAUSSIAN)
    seen = image[image[..., 3] > 0.3]
    assert (seen[:, 2] > seen[:, 0]).all()


def test_up_on_paper_is_up() -> None:
    image = _image(np.exp(-(X**2 + (Y - 1.5) ** 2 + Z**2) * 2))
    opaque = image[..., 3] > 0.3
    half = image.shape[0] // 2
    assert opaque[:half].sum() > 0
    assert opaque[half:].sum() == 0


@pytest.mark.parametrize("volume", [None, _volume(X * GAUSSIAN)])
def test_a_figure_is_drawn_with_and_without_the_orbital_in_space(
    tmp_path: Path, volume: Volume | None
) -> None:
    water = Atoms("OH2", [(0, 0, 0.12), (0, 0.76, -0.48), (0, -0.76, -0.48)])
    row = OrbitalRow(
        name="water",
        remark="HOMO",
        atoms=water,
        shares=np.array([0.9, 0.05, 0.05]),
        scores=np.array([0.4, 0.3, 0.3]),
        volume=volume,
    )
    paths = [draw_orbitals([row], tmp_path / f"{i}.png", score_title="attention") for i in (1, 2)]
    first, second = (path.read_bytes() for path in paths)
    assert first.startswith(b"\x89PNG")
    assert first == second
