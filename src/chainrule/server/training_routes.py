"""Routes for trainings, for data to learn from, and for files that a client sends."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from chainrule.data import PointShape, points
from chainrule.server.dropped import Received, receive
from chainrule.server.field import Maps, draw_maps
from chainrule.server.inputs import FILE_BODY
from chainrule.server.settings import Points, Settings
from chainrule.server.sharing import Opened, pack_training
from chainrule.server.shelf import Shelf
from chainrule.server.training import Progress, Training
from chainrule.server.trainings import News, Trainings

__all__ = ["file_routes", "training_routes"]


def training_routes(trainings: Trainings) -> APIRouter:
    """Routes that start and follow trainings."""
    routes = APIRouter()

    @routes.post("/api/training", status_code=201)
    async def begin(settings: Settings) -> Progress:
        """A new training, paused before its first step."""
        return (await run_in_threadpool(trainings.begin, settings)).progress()

    @routes.get("/api/training")
    async def all_trainings() -> list[Progress]:
        """What is being trained."""
        return [training.progress() for training in trainings]

    @routes.get("/api/training/{name}")
    async def one_training(name: str) -> News:
        """Training progress, with all points of the curves."""
        training = trainings.get(name)
        return News(progress=training.progress(), points=list(training.points))

    @routes.post("/api/training/{name}/{action}")
    async def command(name: str, action: Literal["play", "pause", "step", "stop"]) -> Progress:
        """Start, pause, run one step, or end."""
        training = trainings.get(name)
        actions = {"play": training.play, "pause": training.pause, "step": training.one_step, "stop": training.stop}
        actions[action]()
        return training.progress()

    @routes.get("/api/map/{name}")
    async def maps(name: str, size: Annotated[int, Query(ge=8, le=100)] = 40) -> Maps:
        """Maps of the plane for a network that learns from points: its answer and the value of each unit."""
        training = trainings.get(name)
        step, network = training.current()
        low, high = trainings.plane(training)
        is_classifier = training.task.units is None if isinstance(training, Training) else bool(network.labels)
        return await run_in_threadpool(draw_maps, network, step, low, high, size, is_classifier=is_classifier)

    @routes.get("/api/file/{name}", response_class=Response)
    async def file(name: str) -> Response:
        """The training as a file: a model file that also holds its settings and curves."""
        content = await run_in_threadpool(pack_training, trainings.get(name))
        headers = {"Content-Disposition": 'attachment; filename="training.safetensors"'}
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def existing(name: str) -> Training | Opened:  # otherwise it would be called in a thread
        trainings.check_room_to_watch()
        return trainings.get(name)

    @routes.get("/api/training/{name}/events", response_class=EventSourceResponse)
    async def events(training: Annotated[Training | Opened, Depends(existing)]) -> AsyncIterator[News]:
        """News as server-sent events, until the training has ended."""
        async for news in trainings.watch(training):
            yield news

    return routes


def file_routes(shelf: Shelf, trainings: Trainings) -> APIRouter:
    """Routes for generated points, and for files that a client sends."""
    routes = APIRouter()

    @routes.get("/api/points")
    async def make_points(
        shape: PointShape = "circles",
        count: Annotated[int, Query(ge=3, le=300)] = 200,
        classes: Annotated[int, Query(ge=2, le=3)] = 2,
        noise: Annotated[float, Query(ge=0, le=1)] = 0.2,
        seed: Annotated[int, Query(ge=0, le=2**32 - 1)] = 0,
    ) -> Points:
        """Training points, and half as many test points, in the format of POST /api/training."""
        parts = [points(shape, n, classes=classes, noise=noise, seed=seed + at)
                 for at, n in enumerate((count, max(classes, count // 2)))]  # fmt: skip
        learned, measured = (
            [[*np.round(x, 3).tolist(), int(label)] for x, label in zip(part.x.astype(float), part.y, strict=True)]
            for part in parts
            if part.y is not None
        )
        return Points(points=learned, held_out=measured)

    @routes.post("/api/files", openapi_extra=FILE_BODY)
    async def take_file(
        request: Request,
        name: Annotated[str, Query(max_length=200)] = "file",
        label_column: Annotated[
            str | None, Query(max_length=200, description="of a table: the column to learn")
        ] = None,
    ) -> Received:
        """Send a training or model (.safetensors, .onnx), a CSV file or a tar archive of pictures."""
        return await run_in_threadpool(receive, await request.body(), name, shelf, trainings, label_column)

    return routes
