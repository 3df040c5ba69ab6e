"""The routes of the page's exercises."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from chainrule.server.inputs import BODY, Index, ModelName, read_index, read_sample
from chainrule.server.planted import Compared, Planted, check_planted, plant
from chainrule.server.shelf import Served
from chainrule.server.weight import VALUES, Weight, move_weight, read_values

__all__ = ["exercise_routes"]

_Label = Annotated[str, Query(max_length=200)]
_Task = Annotated[int, Query(ge=0, le=2**31 - 1, description="which bug: the same number, the same bug")]


def exercise_routes(find: Callable[[str | None], Awaitable[Served]]) -> APIRouter:
    """The exercises; `find` a network by its name."""
    routes = APIRouter()

    @routes.post("/api/planted", response_model=Planted, openapi_extra=BODY)
    async def planted(request: Request, label: _Label, task: _Task, model: ModelName = None) -> Any:
        """The gradients of a backward pass with a bug: a missing 1/N, a W read in the wrong order, an inverted mask."""
        served = await find(model)
        sample = await read_sample(request, served)
        told = (served.name, served.network, sample, served.label(label), task)
        return await run_in_threadpool(plant, *told)

    @routes.post("/api/planted/check", response_model=list[Compared], openapi_extra=BODY)
    async def check(
        request: Request,
        label: _Label,
        task: _Task,
        place: Annotated[str, Query(max_length=200, description='such as 2.Affine; "loss": of the logits')],
        array: Annotated[str, Query(max_length=200, description="dx, a parameter such as W, or of the loss dlogits")],
        model: ModelName = None,
    ) -> Any:
        """Elements of one of these gradients beside their numerical derivatives."""
        served = await find(model)
        sample = await read_sample(request, served)
        told = (served.name, served.network, sample, served.label(label), task, place, array)
        return await run_in_threadpool(check_planted, *told)

    @routes.post("/api/weight", response_model=Weight, openapi_extra=BODY)
    async def weight(
        request: Request,
        label: _Label,
        parameter: Annotated[str, Query(max_length=200, description="such as 2.Affine.W")],
        index: Index,
        values: Annotated[
            str | None, Query(max_length=2000, pattern=VALUES, description="such as 0.1,-2; none: as it is")
        ] = None,
        slopes: Annotated[bool, Query(description="whether the derivatives are wanted too")] = True,
        model: ModelName = None,
    ) -> Any:
        """The loss and its derivative with one weight set to other numbers."""
        served = await find(model)
        sample = await read_sample(request, served)
        at = read_index(index)
        moved = [] if values is None else read_values(values)
        told = (served.name, served.network, sample, served.label(label), parameter, at, moved)
        return await run_in_threadpool(move_weight, *told, slopes=slopes)

    return routes
