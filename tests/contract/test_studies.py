"""What every study in ``STUDIES`` owes its readers."""

from dataclasses import fields, is_dataclass

import pytest

from atomlens.settings import field_notes
from atomlens.studies import STUDIES


@pytest.fixture(params=sorted(STUDIES))
def name(request) -> str:
    return request.param


def test_a_study_is_named_as_in_the_table(name):
    assert STUDIES[name].name == name
    assert name == name.lower()


def test_the_summary_is_one_line_that_asks(name):
    summary = STUDIES[name].summary
    assert summary.endswith("?")
    assert "\n" not in summary


def test_the_class_has_a_docstring(name):
    assert STUDIES[name].__doc__


def test_settings_are_frozen_documented_and_have_defaults(name):
    settings = STUDIES[name].Settings
    assert is_dataclass(settings)
    assert settings.__dataclass_params__.frozen
    notes = field_notes(settings)
    assert [f.name for f in fields(settings) if not notes.get(f.name)] == []
    settings()


def test_a_study_runs_with_the_settings_it_was_given(name):
    given = STUDIES[name].Settings()
    assert STUDIES[name](given).settings is given
    assert STUDIES[name]().settings == given
