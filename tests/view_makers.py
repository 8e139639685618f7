"""What asks the application in tests, as its page would."""

from typing import Any

import pytest

from atomlens.web.jobs import WebJob

TOKEN = "a-token-for-tests"
HOME = "http://127.0.0.1:8765"


def hold_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a job that has begun wait until it is stopped: none ends before it is looked at."""
    progress = WebJob.progress

    def held(job: WebJob, done: int, total: int) -> None:
        progress(job, done, total)
        if done:
            job.stop.wait(600)
            job.check()

    monkeypatch.setattr(WebJob, "progress", held)


class Asker:
    """Asks with the token, and with patience."""

    def __init__(self, client: Any, desk: Any) -> None:
        self.client = client
        self.desk = desk

    def job(self, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """Post a question and wait for the end of its job."""
        answer = self.client.post(path, **({"json": body} if body is not None else {}), **more)
        assert answer.status_code == 200, answer.text
        return self.ended(answer.json())

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """Wait for the end of a job."""
        while job["state"] in ("waiting", "running"):
            job = self.client.get(f"/api/jobs/{job['id']}?wait=5").json()
        return job

    def give(self, text: str = "", **files: bytes) -> dict[str, Any]:
        """Add structures; return what was added and what failed."""
        parts = [("files", (name, content)) for name, content in files.items()]
        job = self.job("/api/structures", data={"text": text}, files=parts or None)
        assert job["state"] == "done", job
        return job["result"]

    def one(self, text: str) -> str:
        """Add one structure and return its number."""
        return self.give(text)["added"][0]["id"]
