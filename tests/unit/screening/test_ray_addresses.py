"""Addresses of Ray clusters at which nobody is."""

import socket

import pytest

from atomlens.errors import SettingsError
from atomlens.screening import on_ray


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "localhost:{}"])
def test_an_address_at_which_nobody_answers_is_refused(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("ray would ask for minutes"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a port that nobody else has
        address = form.format(taken.getsockname()[1])
        with pytest.raises(SettingsError, match="nobody answers there"):
            on_ray._connect(address)


def test_an_address_that_answers_is_left_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    asked: list[str] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda address, **_: asked.append(address))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert on_ray._connect(address)
    assert asked == [address]
