"""The application: its JSON interface, and the page."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import (
    Depends,
    FastAPI,
    File,
    Form,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import APIKeyHeader, APIKeyQuery
from pydantic import BaseModel, Field

from atomlens.errors import AtomlensError, Failure, SettingsError
from atomlens.explain import Explanation
from atomlens.reports.page import render_page
from atomlens.reports.tables import to_csv, write_extxyz
from atomlens.structures.arrays import name_of
from atomlens.structures.options import AS_IT_IS, FormsHeard, ReadingOptions
from atomlens.version import __version__
from atomlens.web.answers import AnswerCache, ExplanationRequest, explanation_payload
from atomlens.web.edits import change_atom
from atomlens.web.guard import TOKEN_HEADER, Application, Guard
from atomlens.web.jobs import Jobs, WebJob
from atomlens.web.library import Library
from atomlens.web.page import application_page
from atomlens.web.shelf import MOST_ATOMS, MOST_STRUCTURES, Shelf, ShelvedStructure, failure_dict
from atomlens.web.uploads import Upload, read_all

if TYPE_CHECKING:
    from ase import Atoms

MOST_BYTES = 32_000_000
"""Of one request."""
MOST_ON_A_PAGE = 50
"""Structures of a page that is saved."""
_PATIENCE = 0.6
"""Seconds for which an answer waits for its job to end, before it says that it is running."""
_LONGEST_WAIT = 20.0


class JobState(BaseModel):
    """A piece of work: its result once it is done, or one sentence on why there is none."""

    id: str
    kind: str
    state: str = Field(description="waiting, running, done, failed or stopped")
    done: int
    total: int = Field(description="0 where it is not known")
    note: str
    result: Any = None
    error: str


class Change(BaseModel):
    """Another element for an atom, or none at all."""

    atom: int = Field(ge=0, description="its number, from 0")
    element: str | None = Field(
        default=None, max_length=12, description="symbol; none: take it out"
    )
    hydrogens_follow: bool = True
    model: str = Field(
        default="", max_length=200, description="whose view of the structure is changed"
    )


class PredictionAsked(BaseModel):
    """Which structures a model shall answer about; all by default."""

    model: str = Field(max_length=200)
    structures: list[str] | None = Field(default=None, max_length=MOST_STRUCTURES)


class ExplanationAsked(BaseModel):
    """Which prediction shall be explained, and how."""

    model: str = Field(max_length=200)
    structure: str = Field(max_length=40)
    target: str = Field(default="", max_length=200, description="the first by default")
    method: str = Field(default="", max_length=60, description="the most exact one by default")
    at: float | None = Field(default=None, description="of a spectrum: the point of its grid")


class PageAsked(BaseModel):
    """What a page that is saved shall show."""

    model: str = Field(max_length=200)
    structures: list[str] = Field(min_length=1, max_length=MOST_ON_A_PAGE)
    target: str = Field(default="", max_length=200)
    method: str = Field(default="", max_length=60)


class Desk:
    """What an application holds: models, structures, answers, jobs."""

    def __init__(
        self,
        models: Sequence[str] = (),
        *,
        reading: ReadingOptions = AS_IT_IS,
        debug: bool = False,
    ) -> None:
        self.reading = reading
        self.heard = FormsHeard(reading.forms)
        self.jobs = Jobs(debug=debug)
        self.library = Library(models, self.jobs.bench.watch)
        self.shelf = Shelf()
        self.answers = AnswerCache(self.library, self.jobs)

    def held(self, structure_id: str) -> ShelvedStructure:
        """Return a structure, or answer 404."""
        held = self.shelf.get(structure_id)
        if held is None:
            raise HTTPException(404, "This structure is not in the table (any more).")
        return held

    def chosen(self, structure_ids: Sequence[str] | None) -> list[ShelvedStructure]:
        """Return the structures that are meant, all by default."""
        if structure_ids is None:
            return self.shelf.all()
        return [self.held(one) for one in structure_ids]

    def explain(self, job: WebJob, asked: ExplanationRequest) -> Explanation:
        """Explain one prediction."""
        return self.answers.explain(job, asked, self.held(asked.structure))

    def seen(self, held: ShelvedStructure, model_id: str) -> "Atoms":
        """Return what a model sees of a structure; without a model, what was read.

        To be called where the model may be loaded: on the bench, or after it has answered.
        """
        return held.seen_by(self.library.get(model_id)) if model_id else held.atoms

    def warm_up(self) -> WebJob:
        """Load the first model and let it answer once, so that the first user need not wait."""

        def work(job: WebJob) -> None:
            from atomlens.structures import to_atoms

            model = self.jobs.bench.do(job, lambda: self.library.get(self.library.first))
            atoms = self.jobs.bench.do(job, lambda: to_atoms("smiles:CO"))
            self.jobs.bench.do(job, lambda: model.explain(atoms))

        return self.jobs.start("warm-up", work)


def create_app(
    models: Sequence[str] = (),
    *,
    token: str | None = None,
    reading: ReadingOptions = AS_IT_IS,
    debug: bool = False,
) -> tuple[Application, Desk, str]:
    """Return the application behind its guard, what it holds, and its token.

    Args:
        models: Folders of trained models, or names of models in the box, shown before the others.
        token: What each request must bring; drawn by default.
        reading: How what the browser sends is read.
        debug: Print the traceback of an error that is a bug.

    Raises:
        ModelError: a model is not there, or damaged.
    """
    token = secrets.token_urlsafe(24) if token is None else token
    desk = Desk(models, reading=reading, debug=debug)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.jobs.close()

    app = FastAPI(
        title="atomlens view",
        version=__version__,
        description="Predictions and explanations of the models of one `atomlens view`. Every "
        f"request brings the token, as the header `{TOKEN_HEADER}` or as `?token=`. What may take "
        "long is a job: ask for it again until it is done, or delete it to stop it.",
        docs_url=None,  # those pages load scripts from a network
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[
            Depends(APIKeyHeader(name=TOKEN_HEADER, auto_error=False)),
            Depends(APIKeyQuery(name="token", auto_error=False)),
        ],
    )
    _add_errors(app)
    _add_pages(app, desk, token)
    _add_structures(app, desk)
    _add_answers(app, desk)
    _add_files(app, desk)
    _add_jobs(app, desk)
    return Guard(app, token=token, most_bytes=MOST_BYTES), desk, token


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(AtomlensError)
    async def refuse(_: Request, error: AtomlensError) -> JSONResponse:
        known = not isinstance(error, SettingsError)
        return JSONResponse({"detail": str(error)}, 422 if known else 400)

    @app.exception_handler(RequestValidationError)
    async def explain(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return JSONResponse({"detail": f"{where or 'the request'}: {first['msg']}."}, 422)


def _add_pages(app: FastAPI, desk: Desk, token: str) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
            "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        text = application_page(
            {
                "token": token,
                "models": desk.library.names(),
                "first": desk.library.first,
                "most_bytes": MOST_BYTES,
                "most_atoms": MOST_ATOMS,
                "most_on_a_page": MOST_ON_A_PAGE,
                "version": __version__,
            },
            nonce,
        )
        return HTMLResponse(text, headers={"content-security-policy": policy})

    @app.get("/api/models", tags=["models"])
    async def models() -> list[dict[str, Any]]:
        """List the models; what they predict is said once they are loaded."""
        return desk.library.names()

    @app.get("/api/models/{model}", tags=["models"])
    async def model(model: str) -> JobState:
        """Load a model and say what it predicts, and which methods explain it."""
        desk.library.check(model)

        def work(job: WebJob) -> Any:
            job.note = f"loading {model}"
            return desk.jobs.bench.do(job, lambda: desk.library.describe(model))

        return await _answered(desk.jobs.start("model", work))


def _add_structures(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/structures", tags=["structures"])
    async def structures() -> list[dict[str, Any]]:
        """List the structures in the table."""
        return [held.to_dict() for held in desk.shelf.all()]

    @app.post("/api/structures", tags=["structures"])
    async def add(
        files: Annotated[list[UploadFile] | None, File()] = None,
        text: Annotated[str, Form(max_length=2_000_000)] = "",
    ) -> JobState:
        """Read files, by their content, and a text: a SMILES or formula a line, or a whole file.

        The result has ``added`` structures and ``failures``: name, and what is wrong.
        """
        uploads = [Upload(f.filename or "file", await f.read()) for f in files or ()]
        if not uploads and not text.strip():
            raise SettingsError(
                "There is nothing to read; drop a file, or type a SMILES or formula."
            )

        def work(job: WebJob) -> Any:
            job.note = "reading"
            items: list[Atoms | Failure] = []
            for upload in uploads:
                one = partial(read_all, [upload], "", job.progress, desk.reading)
                items += desk.jobs.bench.do(job, one)
                job.progress(len(items), 0)
            if text.strip():
                typed = partial(read_all, [], text, job.progress, desk.reading)
                items += desk.jobs.bench.do(job, typed)
            desk.heard.hear(items)
            added, failures = [], []
            for item in items:
                if isinstance(item, Failure):
                    failures.append(item)
                    continue
                try:
                    added.append(desk.shelf.put(item).to_dict())
                except AtomlensError as error:
                    failures.append(Failure(name=name_of(item), message=str(error)))
            return {"added": added, "failures": [failure_dict(f) for f in failures]}

        return await _answered(desk.jobs.start("read", work))

    @app.post("/api/structures/{structure}/changes", tags=["structures"])
    async def change(structure: str, asked: Change) -> JobState:
        """Make a new structure by changing the element of an atom, or by taking the atom out."""
        held = desk.held(structure)
        if asked.model:
            desk.library.check(asked.model)

        def work(job: WebJob) -> Any:
            changed = desk.jobs.bench.do(
                job,
                lambda: change_atom(
                    desk.seen(held, asked.model),
                    asked.atom,
                    asked.element,
                    hydrogens_follow=asked.hydrogens_follow,
                ),
            )
            root = held.name.partition(" · ")[0]
            said = f"{held.change}, {changed.change}" if held.change else changed.change
            changed.atoms.info["name"] = f"{root} · {said}"
            return desk.shelf.put(
                changed.atoms, parent=held.id, change=changed.change, origin=changed.origin
            ).to_dict()

        return await _answered(desk.jobs.start("change", work))

    @app.delete("/api/structures/{structure}", tags=["structures"], status_code=204)
    async def remove(structure: str) -> Response:
        """Take a structure out of the table."""
        desk.held(structure)
        desk.shelf.remove(structure)
        desk.answers.forget({structure})
        return Response(status_code=204)

    @app.delete("/api/structures", tags=["structures"], status_code=204)
    async def clear() -> Response:
        """Empty the table."""
        desk.shelf.clear()
        desk.answers.forget()
        return Response(status_code=204)


def _add_answers(app: FastAPI, desk: Desk) -> None:
    @app.post("/api/predictions", tags=["answers"])
    async def predict(asked: PredictionAsked) -> JobState:
        """Predict. The result is one row a structure: values by target, ``unlike``, ``warning``."""
        desk.library.check(asked.model)
        chosen = desk.chosen(asked.structures)

        def work(job: WebJob) -> Any:
            job.note = f"predicting with {asked.model}"
            return desk.answers.predict(job, asked.model, chosen)

        return await _answered(desk.jobs.start("predict", work))

    @app.post("/api/explanations", tags=["answers"])
    async def explain(asked: ExplanationAsked) -> JobState:
        """Explain one prediction. The result is what the page draws: scores, bonds, colours."""
        desk.library.check(asked.model)
        desk.held(asked.structure)
        question = ExplanationRequest(
            asked.model, asked.structure, asked.target, asked.method, asked.at
        )

        def work(job: WebJob) -> Any:
            job.note = f"explaining with {asked.method or 'the model'}"
            found = desk.explain(job, question)
            return desk.jobs.bench.do(job, lambda: explanation_payload(found))

        return await _answered(desk.jobs.start("explain", work))


def _add_files(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/table.csv", tags=["files"])
    async def table(model: Annotated[str, Query(max_length=200)]) -> Response:
        """Return the predictions of all structures, as `atomlens predict` writes them."""

        def work(job: WebJob) -> str:
            return to_csv(desk.answers.prediction(job, model, desk.shelf.all()).to_rows())

        return _file(await _finished(desk.jobs, "table", work), "text/csv", "atomlens.csv")

    @app.get("/api/table.extxyz", tags=["files"])
    async def frames(
        model: Annotated[str, Query(max_length=200)],
        structures: Annotated[list[str] | None, Query(max_length=MOST_ON_A_PAGE)] = None,
        target: Annotated[str, Query(max_length=200)] = "",
        method: Annotated[str, Query(max_length=60)] = "",
    ) -> Response:
        """Return structures with their predictions; those that are named also with their scores."""
        chosen = desk.chosen(structures)

        def work(job: WebJob) -> str:
            if structures is None:
                rows = desk.answers.predict(job, model, chosen)
                found = [
                    _with_values(desk.seen(held, model), row)
                    for held, row in zip(chosen, rows, strict=True)
                    if not row["error"]
                ]
            else:
                asked = [
                    ExplanationRequest(model, held.id, target, method, None) for held in chosen
                ]
                found = [desk.explain(job, one).to_atoms() for one in asked]
            return _written(lambda path: write_extxyz(found, path), "structures.extxyz")

        text = await _finished(desk.jobs, "frames", work)
        return _file(text, "chemical/x-xyz", "atomlens.extxyz")

    @app.get("/api/picture.svg", tags=["files"])
    async def picture(
        model: Annotated[str, Query(max_length=200)],
        structure: Annotated[str, Query(max_length=40)],
        target: Annotated[str, Query(max_length=200)] = "",
        method: Annotated[str, Query(max_length=60)] = "",
        at: float | None = None,
        draw: Annotated[str, Query(pattern="^(2d|3d)$")] = "3d",
    ) -> Response:
        """Return a picture of an explanation: the structure in space, or a molecule's drawing."""
        held = desk.held(structure)

        def work(job: WebJob) -> str:
            found = desk.explain(job, ExplanationRequest(model, held.id, target, method, at))
            write = found.to_drawing if draw == "2d" else found.to_png
            return desk.jobs.bench.do(job, lambda: _written(write, "picture.svg"))

        return _file(await _finished(desk.jobs, "picture", work), "image/svg+xml", "atomlens.svg")

    @app.post("/api/pages", tags=["files"])
    async def page(asked: PageAsked) -> JobState:
        """Make a page of explanations that needs no network; `GET` its file when it is done."""
        desk.library.check(asked.model)
        chosen = desk.chosen(asked.structures)

        def work(job: WebJob) -> Any:
            job.note = "writing the page"
            found = []
            for held in chosen:
                one = ExplanationRequest(asked.model, held.id, asked.target, asked.method, None)
                found.append(desk.explain(job, one).picture())
                job.progress(len(found), len(chosen))
            title = found[0].name if len(found) == 1 else "Explained predictions"
            return desk.jobs.bench.do(job, lambda: render_page(found, title=title))

        return await _answered(desk.jobs.start("page", work))


def _add_jobs(app: FastAPI, desk: Desk) -> None:
    def known(job_id: str) -> WebJob:
        job = desk.jobs.get(job_id)
        if job is None:
            raise HTTPException(404, "There is no such job (any more).")
        return job

    @app.get("/api/jobs/{job}", tags=["jobs"])
    async def state(
        job: str, wait: Annotated[float, Query(ge=0, le=_LONGEST_WAIT)] = 0
    ) -> JobState:
        """Say how far a job is; ``wait`` so many seconds for its end."""
        found = known(job)
        await _wait(found, wait)
        return _state(found)

    @app.delete("/api/jobs/{job}", tags=["jobs"])
    async def stop(job: str) -> JobState:
        """Stop a job. Others go on."""
        found = known(job)
        desk.jobs.stop(found)
        await _wait(found, _PATIENCE)
        return _state(found)


async def _wait(job: WebJob, seconds: float) -> None:
    if not job.is_over and seconds > 0:
        await asyncio.wait([_as_async(job.ended)], timeout=seconds)


def _as_async(future: "Future[None]") -> "asyncio.Future[None]":
    """Return a future of this loop that ends when another does, and whose end does not end that."""
    loop = asyncio.get_running_loop()
    mine: asyncio.Future[None] = loop.create_future()

    def tell(_: object) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(end)

    def end() -> None:
        if not mine.done():
            mine.set_result(None)

    future.add_done_callback(tell)
    return mine


async def _answered(job: WebJob) -> JobState:
    """Wait a moment for a job; a failure that comes at once is the answer."""
    await _wait(job, _PATIENCE)
    return _state(job)


def _state(job: WebJob) -> JobState:
    return JobState(**job.to_dict())


async def _finished(jobs: Jobs, kind: str, work: Callable[[WebJob], str]) -> str:
    """Return the result of a job, waiting to its end; the sentence of a failed one is an error."""
    job = jobs.start(kind, work)
    try:
        while not job.is_over:
            await _wait(job, _LONGEST_WAIT)
    except asyncio.CancelledError:  # nobody waits any more
        jobs.stop(job)
        raise
    if job.state != "done":
        raise HTTPException(422, job.error or "This was stopped.")
    return str(job.result)


def _file(text: str, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=f"{kind}; charset=utf-8", headers=headers)


def _written(write: Callable[[Path], object], name: str) -> str:
    """Return what a function writes into a file."""
    with TemporaryDirectory(prefix="atomlens-view-") as folder:
        path = Path(folder) / name
        write(path)
        return path.read_text(encoding="utf-8")


def _with_values(seen: "Atoms", row: dict[str, Any]) -> "Atoms":
    """Return a structure with what a model says of it."""
    atoms = seen.copy()
    for name, answer in row["values"].items():
        atoms.info[name] = answer.get("label", answer["value"])
        if answer["std"] is not None:
            atoms.info[f"{name}_std"] = answer["std"]
    return atoms
