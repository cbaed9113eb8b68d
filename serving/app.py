"""The HTTP interface: /predict, /health, /ready, /metrics, /openapi.json, and a page to try the model at /."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from serving.batcher import Batcher
from serving.keys import Keys
from serving.live import Answered, Live
from serving.meter import Meter
from serving.metrics import CONTENT_TYPE, Metrics
from serving.options import Options
from serving.rate import Rate
from serving.refusals import Problem, Refusal
from serving.requests import Asked, read_body, texts_of
from tasks.errors import UserError

logger = logging.getLogger("hone.serving")
HERE = Path(__file__).parent
GONE = 499  # as nginx counts it: the client left before its answer was there


def _logged(result: dict[str, Any]) -> str:
    """An answer as `hone watch` reads it."""
    return json.dumps({"time": round(time.time(), 3), **result}, ensure_ascii=False)


class Predicted(BaseModel):
    """What /predict answers: a result per text, in order, all from one version of the model."""

    model_version: str = Field(examples=["3f2a9c41d07b"])
    task: str = Field(examples=["token_classification"])
    results: list[dict[str, Any]] = Field(
        description="Places (start, end) count characters (Unicode code points) of the text, end excluded."
    )


class Ready(BaseModel):
    """What /ready answers."""

    ready: bool
    model_version: str
    task: str
    waiting: int = Field(description="Texts that wait for the model.")
    needs_key: bool
    max_texts: int
    max_characters: int


def create_app(options: Options, live: Live, keys: Keys) -> ASGIApp:
    """The application that serves the model of ``live``."""
    metrics = Metrics()
    batcher = Batcher(
        live.answer,
        max_batch=options.max_batch,
        max_wait=options.max_wait_ms / 1000,
        queue=options.queue,
        on_batch=metrics.batch,
    )
    metrics.queue(lambda: batcher.waiting)
    metrics.model(live.served)
    live.on_change = metrics.model
    rate = Rate(options.rate)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        watching = asyncio.create_task(live.watch(options.poll_seconds), name="watch")
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await batcher.close()

    def admit(request: Request) -> None:
        client = keys.client(request.headers, request.client.host if request.client else "")
        rate.admit(client)

    # FastAPI's own pages fetch their scripts from elsewhere, hence none.
    app = FastAPI(title="hone", lifespan=lifespan, docs_url=None, redoc_url=None, description=__doc__)
    either = [Depends(HTTPBearer(auto_error=False)), Depends(APIKeyHeader(name="X-API-Key", auto_error=False))]
    needed = either if keys else []

    @app.post(
        "/predict",
        summary="What the model finds in one text or several",
        dependencies=needed,
        response_model=Predicted,
        responses={status: {"model": Problem} for status in (401, 408, 413, 415, 422, 429, 500, 503)},
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": Asked.model_json_schema()}}}
        },
    )
    async def predict(request: Request) -> Response:
        admit(request)
        texts = texts_of(await read_body(request, options.max_body), options)
        answered = await _unless_gone(request, batcher.submit(texts))
        if answered is None:
            return Response(status_code=GONE)
        if options.log_text:
            for result in answered.answers:
                logger.info("answer %s %s", answered.version, _logged(result))
        body = {"model_version": answered.version, "task": answered.task, "results": answered.answers}
        return Response(json.dumps(body, ensure_ascii=False, separators=(",", ":")), media_type="application/json")

    @app.get("/health", summary="Whether the process answers")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready", summary="Whether it can take a request now", responses={503: {"model": Ready}})
    async def ready(response: Response) -> Ready:
        is_ready = batcher.alive and batcher.has_room
        if not is_ready:
            response.status_code = 503
            response.headers["Retry-After"] = "1"
        return Ready(
            ready=is_ready,
            model_version=live.served.version,
            task=live.served.model.task,
            waiting=batcher.waiting,
            needs_key=bool(keys),
            max_texts=options.max_texts,
            max_characters=options.max_characters,
        )

    @app.get("/metrics", summary="Figures for Prometheus", dependencies=needed, response_class=Response)
    async def read_metrics(request: Request) -> Response:
        admit(request)
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    for path, file in (("/", "page.html"), ("/page.css", "page.css"), ("/page.js", "page.js")):
        app.add_api_route(path, _file(HERE / file), include_in_schema=False, response_model=None)

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse(refusal.problem.model_dump(), refusal.status, refusal.headers)

    @app.exception_handler(UserError)
    async def unreadable(_: Request, error: UserError) -> JSONResponse:
        return JSONResponse(Problem(code="unreadable_text", error=str(error)).model_dump(), 422)

    @app.exception_handler(HTTPException)
    async def elsewhere(_: Request, error: HTTPException) -> JSONResponse:
        problem = Problem(code=f"http_{error.status_code}", error=f"{error.detail}; /openapi.json lists what there is")
        return JSONResponse(problem.model_dump(), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse(Problem(code="failed", error="the model failed; the log says where").model_dump(), 500)

    paths = frozenset({"/", "/page.css", "/page.js", "/predict", "/health", "/ready", "/metrics", "/openapi.json"})
    return Meter(app, metrics, paths, options.log_requests)


def _file(path: Path) -> Any:
    async def file() -> FileResponse:
        return FileResponse(path)

    return file


async def _unless_gone(request: Request, submitted: Any) -> Answered | None:
    """What was submitted, or None when the client left first: its texts then leave the queue."""
    answer: asyncio.Task[Answered] = asyncio.ensure_future(submitted)
    gone = asyncio.ensure_future(request.receive())  # the body was read: the next message is the end
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        answer.cancel()
        gone.cancel()
