"""The application without a network: its models are those of the box."""

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from atomlens.web import app as app_module
from atomlens.web.app import create_app
from view_makers import HOME, TOKEN, Asker


@pytest.fixture(scope="session")
def application() -> Iterator[Asker]:
    """One application for all tests of a session, as impatient as on the busiest machine."""
    app_module._PATIENCE = 0.0  # a test that takes an answer for the end of a job fails everywhere
    app, desk, _ = create_app(token=TOKEN)
    with TestClient(app, base_url=HOME, headers={"x-atomlens-token": TOKEN}) as client:
        yield Asker(client, desk)


@pytest.fixture
def page(application: Asker) -> Iterator[Asker]:
    """The application with an empty table."""
    application.client.delete("/api/structures")
    yield application
    application.client.delete("/api/structures")
