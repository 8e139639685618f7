"""Of a trace of an element far below all that training had nobody knows the error."""

from dataclasses import replace

import numpy as np
import pytest
from made_predictors import make_predictor

from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.trust.doubts import traces
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula

LEAST = {"Ge": 0.2, "As": 0.004, "O": 0.5}


def formulas(*texts: str) -> StructureArrays:
    return StructureArrays.from_atoms([from_formula(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "least", "is_trace"),
    [
        ("Ge999As", LEAST, True),
        ("Ge199As", LEAST, False),
        ("Ge397As3", LEAST, False),
        ("Ge19O", LEAST, False),
        ("Ge199O", LEAST, True),
        ("Ge999Sb", LEAST, False),
        ("Ge1999As", {}, True),
        ("Ge499As", {}, False),
        ("C100H202", {}, False),
    ],
)
def test_a_trace_is_clearly_less_than_training_had(
    text: str, least: dict[str, float], is_trace: bool
) -> None:
    (said,) = traces(formulas(text), least)
    assert bool(said) is is_trace


def test_no_error_is_estimated_for_a_trace() -> None:
    predictor = make_predictor(builder="formula")
    predictor = replace(
        predictor, elements=(32, 33), record=replace(predictor.record, kinds=("formula",))
    )
    with pytest.warns(UserWarning, match="1 of 2 answers should be mistrusted"):
        found = predictor.predict(["Ge2As", "Ge0.9999As0.0001"])
    assert np.isfinite(found.std[:, 0]).tolist() == [True, False]
    assert found.doubts[1].of_model[0].startswith("As is 0.0001 of its atoms, and hardly any")
    assert found.doubts[1].of_model[0].endswith("may jump, so no error is estimated")


def test_the_smallest_shares_are_kept_with_the_model() -> None:
    record = TrainingRecord(least_shares={"As": 0.004})
    content = record.to_dict()
    assert TrainingRecord.from_dict(content).least_shares == {"As": 0.004}
    with pytest.raises(ValueError, match="least_shares"):
        TrainingRecord.from_dict(content | {"least_shares": {"As": 4.0}})
