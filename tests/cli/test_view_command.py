"""``atomlens view``: what it says before a browser is opened."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from atomlens.cli import main


def test_a_missing_extra_is_one_sentence(monkeypatch, capsys) -> None:
    from atomlens.web import serving

    monkeypatch.setattr(serving, "find_spec", lambda name: None if name == "uvicorn" else True)
    assert main(["view"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert 'pip install "atomlens[web]"' in said.err


def test_a_taken_port_and_an_unknown_model_are_sentences(capsys) -> None:
    pytest.importorskip("fastapi")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["view", "--port", str(port), "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"atomlens: --port {port}: it is taken; ")
    assert main(["view", "--port", "70000"]) == 2
    assert "65535" in capsys.readouterr().err
    assert main(["view", "nothing-here", "--no-browser"]) == 2
    assert "nothing-here" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_serves_this_machine_until_ctrl_c() -> None:
    pytest.importorskip("fastapi")
    started = subprocess.Popen(
        [sys.executable, "-m", "atomlens", "view", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "no_proxy": "127.0.0.1"},
    )
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+/)\?token=([\w-]{32,})\n", line)
        assert found, line
        address, token = found.groups()
        with urllib.request.urlopen(f"{address}api/models?token={token}") as answer:
            assert "qm9" in {model["id"] for model in json.load(answer)}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{address}api/models")
    finally:
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=600)
    assert "Traceback" not in errors
