"""Do both parts of a permittivity belong together? Kramers and Kronig inside a window.

The imaginary part at all energies fixes the real part. A window knows neither what lies above it
nor what lies below: what is far above adds a constant and something that grows with the square of
the energy, what is below something that falls with it. What is left after a fit of these three is a
departure.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_N_POINTS = 400
"""Of the even grid on which the integral is taken."""


def kramers_kronig(energies: Values, eps_im: Values) -> Values:
    """Return (2/π) P∫ E' ε''(E') / (E'² - E²) dE' over the window, (n,) at each energy.

    By Maclaurin's formula: the sum over every second point, so that the pole lies between two of
    them (Ohta and Ishida, Applied Spectroscopy 42, 952, 1988).

    Args:
        energies: (n,) evenly spaced, eV.
        eps_im: (n,) imaginary part.
    """
    step = energies[1] - energies[0]
    squares = np.square(energies)
    apart = squares[None, :] - squares[:, None]
    places = np.arange(len(energies))
    other = (places[None, :] - places[:, None]) % 2 == 1
    kernel = np.where(other, 1.0 / np.where(other, apart, 1.0), 0.0)
    integral: Values = (4 / np.pi) * step * (kernel @ (energies * eps_im))
    return integral


def departure(energies: Values, eps_re: Values, eps_im: Values) -> float:
    """Return which share of the spread of the real part the imaginary part does not explain.

    The root mean square of what is left of ε' after Kramers and Kronig's integral and a fit of
    1, E² and 1/E², over the standard deviation of ε'. 0 for parts that belong together; NaN
    where the real part is flat or fewer than ten points are known.

    Args:
        energies: (n,) eV, above 0, rising.
        eps_re: (n,) real part; NaN where unknown.
        eps_im: (n,) imaginary part.
    """
    known = np.isfinite(eps_re) & np.isfinite(eps_im) & (energies > 0)
    if known.sum() < 10 or not np.std(eps_re[known]) > 0:
        return np.nan
    low, high = energies[known][[0, -1]]
    even = np.linspace(low, high, _N_POINTS)
    real, imaginary = (np.interp(even, energies[known], part[known]) for part in (eps_re, eps_im))
    rest = real - kramers_kronig(even, imaginary)
    inner = slice(
        _N_POINTS // 20, -(_N_POINTS // 20)
    )  # at the ends the cut makes a pole of its own
    basis = np.stack([np.ones_like(even), np.square(even), 1 / np.square(even)], axis=1)[inner]
    weights, *_ = np.linalg.lstsq(basis, rest[inner], rcond=None)
    left = rest[inner] - basis @ weights
    return float(np.sqrt(np.mean(np.square(left))) / np.std(real[inner]))
