"""The routes of the page's exercises, and of the loss over a plane through the weights."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from chainrule.arrays import Array
from chainrule.server.inputs import BODY, Index, ModelName, read_sample
from chainrule.server.planted import Compared, Planted, check_planted, plant
from chainrule.server.problems import ProblemError
from chainrule.server.shelf import Served
from chainrule.server.surface import SurfaceRow, surface_row
from chainrule.server.weight import VALUES, Weight, move_weight, read_values

__all__ = ["exercise_routes", "surface_routes"]

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
        at = tuple(int(number) for number in index.split(","))
        moved = [] if values is None else read_values(values)
        told = (served.name, served.network, sample, served.label(label), parameter, at, moved)
        return await run_in_threadpool(move_weight, *told, slopes=slopes)

    return routes


def surface_routes(
    find: Callable[[str | None], Awaitable[Served]],
    measured_on: Callable[[Served, int], tuple[Array, Array] | None],
) -> APIRouter:
    """The loss over a plane; `measured_on` gives so many test digits to a network that reads digits."""
    routes = APIRouter()

    @routes.post("/api/surface", response_model=SurfaceRow, openapi_extra=BODY)
    async def surface(
        request: Request,
        label: _Label,
        row: Annotated[int, Query(ge=0, le=60)],
        model: ModelName = None,
        size: Annotated[int, Query(ge=2, le=61, description="positions along each side")] = 25,
        span: Annotated[float, Query(gt=0, le=10)] = 1.0,
        seed: Annotated[int, Query(ge=0, le=2**32 - 1, description="of the two directions")] = 0,
        digits: Annotated[int, Query(ge=0, le=500, description="test digits to measure on as well")] = 0,
    ) -> Any:
        """One row of the losses over a plane through the weights, spanned by two random directions."""
        if row >= size:
            raise ProblemError(422, f"there are rows 0 to {size - 1}, got {row}")
        served = await find(model)
        sample = await read_sample(request, served)
        some = await run_in_threadpool(measured_on, served, digits)
        plane = {"row": row, "size": size, "span": span, "seed": seed, "digits": some}
        return await run_in_threadpool(
            lambda: surface_row(served.network, sample, served.label(label), **plane)  # type: ignore[arg-type]
        )

    return routes
