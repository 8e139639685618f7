"""Studies draw a quarter as often in these tests, but where draws are what is tested."""

import pytest

ABOUT_DRAWS = ("test_study_statistics.py", "test_verdicts.py")


@pytest.fixture(autouse=True)
def fewer_draws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take 250 resamples for an interval, where users have 1000."""
    if request.path.name not in ABOUT_DRAWS:
        for module in ("statistics", "verdicts", "environments.numbers"):
            monkeypatch.setattr(f"atomlens.studies.{module}.N_RESAMPLES", 250)
