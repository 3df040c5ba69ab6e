"""The server's routes, each in a few lines."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
import numpy as np
from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool

from chainrule.arrays import Array
from chainrule.data.images import read_colour
from chainrule.kernels import IMPLEMENTATION
from chainrule.layers import Sequential
from chainrule.server.access import Access
from chainrule.server.answers import MOST_NAMED, SURE, Health, NumberRead, Prediction, Reading, Sample
from chainrule.server.batching import Batcher
from chainrule.server.exercises import exercise_routes
from chainrule.server.guard import Guard, Metrics
from chainrule.server.inputs import (
    BODY,
    PICTURE_BODY,
    TEXT_BODY,
    AsInTraining,
    Index,
    ModelName,
    check_pixels,
    read_index,
    read_picture,
    read_sample,
    read_text,
)
from chainrule.server.inside import Walk, pack_parameters, walk
from chainrule.server.measuring import measuring_routes
from chainrule.server.number import Number, explain_number
from chainrule.server.problems import RESPONSES, ProblemError, handle_problems
from chainrule.server.sharing import Opened
from chainrule.server.shelf import ModelCard, Served, Shelf
from chainrule.server.texts import Written, next_probabilities, write_on
from chainrule.server.training_routes import file_routes, training_routes
from chainrule.server.trainings import Trainings
from chainrule.server.unit import Unit, explain_unit
from chainrule.server.wire import Packed, pack, show
from chainrule.version import __version__
from chainrule.vision import Readers, annotate, read_numbers

__all__ = ["create_app"]

_PAGE = Path(__file__).parent / "page"

_THREADS = 6
"""Requests handled in threads at the same time; each may hold ten megabytes or so of JSON."""


def create_app(networks: dict[str, Sequential], access: Access | None = None, opened: Sequence[Opened] = ()) -> FastAPI:
    """The application that serves some networks; the first is the default.

    Args:
        networks: by name.
        access: which requests are allowed; by default those from this machine.
        opened: trainings read from files.
    """
    shelf, trainings, metrics = Shelf(networks), Trainings(), Metrics()
    for training in opened:
        trainings.add(training)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        watch = asyncio.create_task(_every(1.0, trainings.pause_unwatched))
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        trainings.close()
        app.state.pictures.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="chainrule",
        version=__version__,
        summary="Inspect networks, step through their backward pass, and train them.",
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        responses=RESPONSES,
    )
    app.state.trainings = trainings
    # pictures are decoded and read one at a time (25 million pixels take 300 MB), and always by the same thread,
    # because the system keeps memory for each thread that has used some
    app.state.pictures = ThreadPoolExecutor(1, "pictures")
    app.add_middleware(Guard, metrics=metrics, access=Access() if access is None else access)
    handle_problems(app)
    find = partial(_find, shelf=shelf, trainings=trainings)
    for routes in (
        _asking(shelf, trainings),
        _explaining(shelf, trainings),
        measuring_routes(find, partial(_digits, trainings)),
        exercise_routes(find),
        _showing(shelf, trainings),
        training_routes(trainings),
        file_routes(shelf, trainings),
        _page(metrics),
    ):
        app.include_router(routes)
    app.mount("/page", StaticFiles(directory=_PAGE), name="page")
    return app


async def _find(model: str | None, shelf: Shelf, trainings: Trainings) -> Served:
    if model is not None and model.startswith("training:"):
        return await run_in_threadpool(trainings.served, model)
    return shelf.get(model)


def _asking(shelf: Shelf, trainings: Trainings) -> APIRouter:
    """Routes for a network's answers."""
    routes = APIRouter()
    served_to_classes = [served for served in shelf if served.text is None and served.answers == "classes"]
    batchers = {served.name: Batcher(served.network) for served in served_to_classes}
    readers = Readers.bundled()

    @routes.post("/api/predict", response_model=Prediction, openapi_extra=BODY)
    async def predict(request: Request, model: ModelName = None, steps: bool = False) -> Any:
        """The class of a sample, given as a picture file or as numbers in JSON; for a text, the next token."""
        served = await _find(model, shelf, trainings)
        pictures: list[dict[str, str]] = []
        keep = (lambda name, picture: pictures.append({"name": name, "picture": show(picture)})) if steps else None
        sample = await read_sample(request, served, keep)
        if served.answers == "numbers":
            probabilities = (await run_in_threadpool(served.network, sample[np.newaxis]))[0]
        elif served.name in batchers:
            probabilities = await batchers[served.name].predict(sample)
        elif served.text is not None:
            probabilities = await run_in_threadpool(next_probabilities, served.network, sample)
        else:
            probabilities = (await run_in_threadpool(served.network.predict_probabilities, sample[np.newaxis]))[0]
        content = _prediction(served, probabilities)
        if steps:
            content |= {"steps": pictures, "x": pack(sample).model_dump()}
        if served.text is not None:
            content["tokens"] = [served.labels[token] for token in sample.tolist()]
        return JSONResponse(content)

    @routes.post("/api/write", response_model=Written, openapi_extra=TEXT_BODY)
    async def write(
        request: Request,
        model: ModelName = None,
        length: Annotated[int, Query(ge=1, le=1000, description="tokens to write")] = 200,
        temperature: Annotated[float, Query(ge=0, le=100, description="0 always takes the most probable token")] = 0.8,
        top_k: Annotated[
            int | None, Query(ge=1, le=10**6, description="draw from this many most probable tokens")
        ] = None,
        seed: Annotated[int, Query(ge=0, le=2**32 - 1)] = 0,
    ) -> Any:
        """The text that a language model writes after a prompt."""
        served = await _find(model, shelf, trainings)
        text = await read_text(request, served)
        options = (length, temperature, top_k, seed)
        return await run_in_threadpool(write_on, served.name, served.network, text, *options)

    @routes.post("/api/read", response_model=Reading, openapi_extra=PICTURE_BODY)
    async def read(request: Request, annotated: bool = False) -> Any:
        """The handwritten numbers in a photograph or scan."""
        content = await read_picture(request)
        loop, pictures = asyncio.get_running_loop(), request.app.state.pictures
        return await loop.run_in_executor(pictures, _read, content, readers, annotated)

    return routes


def _explaining(shelf: Shelf, trainings: Trainings) -> APIRouter:
    """Routes that explain a network's answer and its gradients."""
    routes = APIRouter()

    @routes.post("/api/trace", response_model=Walk, openapi_extra=BODY)
    async def trace(
        request: Request,
        label: Annotated[str, Query(max_length=200)],
        model: ModelName = None,
        train: AsInTraining = False,
    ) -> Any:
        """One sample forward and backward through every layer, given its true class."""
        served = await _find(model, shelf, trainings)
        sample = await read_sample(request, served)
        asked = (served.name, served.network, sample, served.label(label), served.labels)
        told = await run_in_threadpool(walk, *asked, train=train)
        return Response(told.model_dump_json(), media_type="application/json")

    @routes.post("/api/unit", response_model=Unit, openapi_extra=BODY)
    async def unit(
        request: Request,
        place: Annotated[str, Query(max_length=200, description="such as 2.Affine")],
        unit: Annotated[int, Query(ge=0, le=10**9, description="its index in the flattened output")],
        model: ModelName = None,
    ) -> Any:
        """One unit of a layer: what it depends on, and what depends on it."""
        served = await _find(model, shelf, trainings)
        sample = await read_sample(request, served)
        return await run_in_threadpool(explain_unit, served.network, sample, place, unit)

    @routes.post("/api/number", response_model=Number, openapi_extra=BODY)
    async def number(
        request: Request,
        label: Annotated[str, Query(max_length=200)],
        place: Annotated[str, Query(max_length=200, description='such as 2.Affine; "loss" for the logits')],
        array: Annotated[str, Query(max_length=200, description="dx, a parameter such as W, or dlogits for the loss")],
        index: Index,
        model: ModelName = None,
        train: AsInTraining = False,
    ) -> Any:
        """One element of a gradient: the terms of its sum, its path from the loss, and where it goes."""
        served = await _find(model, shelf, trainings)
        sample = await read_sample(request, served)
        told = (served.name, served.network, sample, served.label(label), place, array, read_index(index))
        return await run_in_threadpool(explain_number, *told, train=train)

    return routes


def _showing(shelf: Shelf, trainings: Trainings) -> APIRouter:
    """Routes that list networks and their parameters."""
    routes = APIRouter()

    @routes.get("/api/models")
    async def models() -> list[ModelCard]:
        """All served networks."""
        return [served.card() for served in shelf]

    @routes.get("/api/model")
    async def one_model(model: ModelName = None) -> ModelCard:
        """One network, or a snapshot of a training."""
        return (await _find(model, shelf, trainings)).card()

    @routes.get("/api/parameters", response_model=dict[str, Packed])
    async def parameters(model: ModelName = None) -> Any:
        """All parameters of a network, by name."""
        served = await _find(model, shelf, trainings)
        packed = await run_in_threadpool(pack_parameters, served.network)
        return JSONResponse({name: array.model_dump() for name, array in packed.items()})

    @routes.get("/api/samples")
    async def samples(
        start: Annotated[int, Query(ge=0, le=9999)] = 0, count: Annotated[int, Query(ge=1, le=100)] = 12
    ) -> list[Sample]:
        """Test pictures of MNIST to try."""
        _, data = await run_in_threadpool(trainings.data)
        assert data.y is not None
        some = range(start, min(start + count, len(data)))
        return [Sample(index=i, label=str(data.y[i]), x=pack(data.x[i])) for i in some]

    return routes


def _page(metrics: Metrics) -> APIRouter:
    """Routes for the page itself, and the state of the server."""
    routes = APIRouter()

    @routes.get("/", response_class=FileResponse, include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_PAGE / "index.html")

    @routes.get("/docs", response_class=FileResponse, include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(_PAGE / "docs.html")

    @routes.get("/healthz")
    async def health() -> Health:
        """Whether the server is running."""
        return Health(status="ok", version=__version__, kernels=IMPLEMENTATION)

    @routes.get("/metrics", response_class=Response)
    async def tell_metrics() -> Response:
        """Counters for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes


def _digits(trainings: Trainings, served: Served, count: int) -> tuple[Array, Array] | None:
    """Test digits in the network's input shape, and their class indices; None if it reads something else."""
    if not count or served.kind != "digit" or math.prod(served.shape) != 784:
        return None
    x, y = trainings.data()[1].head(count)
    assert y is not None
    return x.reshape(-1, *served.shape), np.array([served.labels.index(str(label)) for label in y])


def _prediction(served: Served, probabilities: Array) -> dict[str, Any]:
    if not np.isfinite(probabilities).all():
        raise ProblemError(422, f"the output of {served.name} for this is not a number: its weights are too large")
    if served.answers == "numbers":
        return {"model": served.name, "label": None, "confidence": None, "sure": True, "probabilities": [],
                "values": probabilities.tolist()}  # fmt: skip
    best = int(probabilities.argmax())
    values = [round(value, 6) for value in probabilities.tolist()]
    named = range(len(values)) if served.text is None else np.argsort(-probabilities, kind="stable")[:MOST_NAMED]
    return {
        "model": served.name,
        "label": served.labels[best],
        "confidence": values[best],
        "sure": values[best] >= SURE,
        "probabilities": [{"label": served.labels[index], "probability": values[index]} for index in named],
    }


def _read(content: bytes, readers: Readers, annotated: bool) -> Reading:
    check_pixels(content)
    picture = read_colour(content)
    numbers = read_numbers(picture, network=readers)
    return Reading(
        width=picture.shape[1],
        height=picture.shape[0],
        numbers=[NumberRead.model_validate(asdict(number)) for number in numbers],
        annotated=show(annotate(picture, numbers)) if annotated else None,
    )


async def _every(seconds: float, act: Any) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()
