"""The routes that measure the loss at other weights: a derivative, a line, a plane."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from chainrule.arrays import Array
from chainrule.server.inputs import BODY, AsInTraining, Index, ModelName, read_index, read_sample
from chainrule.server.inside import Derivative, check_walk, compare_derivative
from chainrule.server.line import Line, loss_line
from chainrule.server.problems import ProblemError
from chainrule.server.shelf import Served
from chainrule.server.surface import SurfaceRow, surface_row

__all__ = ["measuring_routes"]


def measuring_routes(
    find: Callable[[str | None], Awaitable[Served]],
    measured_on: Callable[[Served, int], tuple[Array, Array] | None],
) -> APIRouter:
    """Routes that measure the loss at other weights.

    Args:
        find: a network by its name.
        measured_on: gives so many test digits to a network that reads digits, None to others.
    """
    routes = APIRouter()

    @routes.post("/api/gradient", response_model=Derivative, openapi_extra=BODY)
    async def gradient(
        request: Request,
        label: Annotated[str, Query(max_length=200)],
        parameter: Annotated[str, Query(max_length=200, description="such as 2.Affine.W")],
        index: Index,
        model: ModelName = None,
        train: AsInTraining = False,
    ) -> Any:
        """The loss's derivative with respect to one parameter, by backpropagation and by a central difference."""
        served = await find(model)
        sample = await read_sample(request, served)
        place = read_index(index)
        told = (served.network, sample, served.label(label), parameter, place)
        return await run_in_threadpool(compare_derivative, *told, train=train)

    @routes.post("/api/line", response_model=Line, openapi_extra=BODY)
    async def line(
        request: Request,
        label: Annotated[str, Query(max_length=200)],
        model: ModelName = None,
        other: Annotated[str | None, Query(max_length=200, description="by default down the gradient")] = None,
        low: Annotated[float, Query(ge=-10, le=10)] = -0.5,
        high: Annotated[float, Query(ge=-10, le=10)] = 1.5,
        points: Annotated[int, Query(ge=2, le=61)] = 21,
        digits: Annotated[int, Query(ge=0, le=500, description="number of test digits to measure on too")] = 0,
    ) -> Any:
        """The loss along a line through the weights: toward another network's, or down the gradient."""
        served = await find(model)
        towards = None if other is None else (await find(other)).network
        sample = await read_sample(request, served)
        check_walk(served.name, served.network, sample)
        some = await run_in_threadpool(measured_on, served, digits)
        told = (served.network, towards, sample, served.label(label), np.linspace(low, high, points), some)
        return await run_in_threadpool(loss_line, *told)

    @routes.post("/api/surface", response_model=SurfaceRow, openapi_extra=BODY)
    async def surface(
        request: Request,
        label: Annotated[str, Query(max_length=200)],
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
        plane: dict[str, Any] = {"row": row, "size": size, "span": span, "seed": seed, "digits": some}
        return await run_in_threadpool(surface_row, served.network, sample, served.label(label), **plane)

    return routes
