"""What every model owes its callers, checked over the table of models."""

from collections.abc import Callable
from typing import Any

import pytest

from atomlens.errors import SettingsError
from atomlens.models import MODELS, PropertyModel, make_model
from atomlens.testing import MODEL_CHECKS
from model_makers import small_model

NAMES = sorted(MODELS.ours())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__)
def test_every_model(check: Callable[..., None], name: str) -> None:
    def make(**settings: Any) -> PropertyModel:
        return small_model(name, **settings)

    check(make)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_setting_names_the_nearest(name: str) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'n_outputs'"):
        make_model(name, n_output=2)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'scann-plus'"):
        make_model("scan-plus")
