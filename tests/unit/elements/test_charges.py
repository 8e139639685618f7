"""Oxidation states from which a network's tables of charges start."""

import numpy as np

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.elements.charges import first_charges


def test_states_of_salts_add_up_and_of_oxoanions_in_their_own_column() -> None:
    charges = first_charges()

    def total(column: int, **amounts: int) -> float:
        return float(sum(n * charges[ATOMIC_NUMBERS[s], column] for s, n in amounts.items()))

    assert charges.shape == (119, 4)
    assert not charges[0].any()
    for salt in ({"Na": 1, "Cl": 1}, {"Al": 2, "O": 3}, {"Ca": 3, "N": 2}, {"Ti": 1, "O": 2}):
        assert total(0, **salt) == 0
    assert total(1, Fe=1, O=1) == total(1, Cu=2, O=1) == total(1, Li=1, H=1) == 0
    assert total(2, Mn=2, O=7) == total(2, Cr=1, O=3) == 0
    assert total(3, Na=2, S=1, O=4) == total(3, Li=3, P=1, O=4) == total(3, Ca=1, C=1, O=3) == 0
    assert np.all(charges[:, 1] <= charges[:, 2])
