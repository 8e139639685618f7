"""NaN and infinity: an input whose answer is no number fails by name, and the others do not."""

from dataclasses import replace

import numpy as np
import torch
from made_predictors import ETHANOL, METHANE, WATER, make_predictor


def test_an_input_without_a_number_fails_by_name_and_the_others_do_not() -> None:
    predictor = make_predictor()
    before = predictor.predict([WATER, METHANE, ETHANOL])
    with torch.no_grad():  # carbon's vector grows beyond what can be counted with
        predictor.models[0].embedding.weight[6] = 3e38
    prediction = predictor.predict([WATER, METHANE, ETHANOL])
    assert prediction.ok.tolist() == [True, False, False]
    assert prediction.values[0] == before.values[0]
    assert "no number" in prediction.errors[1]
    assert prediction.names[1] in prediction.errors[1]
    assert np.isnan(prediction.values[1:]).all()


def test_scalings_that_overflow_fail_too() -> None:
    predictor = make_predictor()
    scaling = replace(predictor.scaling, means=(1.7e308,), stds=(1e308,))
    prediction = replace(predictor, scaling=scaling).predict([WATER])
    assert not prediction.ok.any() or np.isfinite(prediction.values).all()
