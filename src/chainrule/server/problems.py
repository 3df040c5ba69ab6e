"""The server's error responses: {"error": what is wrong, and the cure}, with a 4xx status."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from chainrule.errors import ChainruleError

__all__ = ["RESPONSES", "ProblemBody", "ProblemError", "answer", "handle_problems"]


class ProblemBody(BaseModel):
    """What is wrong, where, and the cure."""

    error: str


class ProblemError(Exception):
    """A request that cannot be served."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


_MEANINGS = {
    400: "The body or the Host header is invalid.",
    401: "The server needs a token, and none was sent.",
    403: "Sent from another site's page, or to a name that is not the server's.",
    404: "There is no model, sample or training of that name.",
    408: "The body did not arrive in time.",
    413: "The body or the picture is too large.",
    415: "The body has an unsupported content type.",
    422: "A value is out of range or has the wrong shape.",
    429: "Too many trainings at once.",
    503: "Too many requests at once.",
}
RESPONSES: dict[int | str, dict[str, object]] = {
    status: {"model": ProblemBody, "description": text} for status, text in _MEANINGS.items()
}
"""The OpenAPI description of every route's errors."""


def answer(status: int, text: str) -> JSONResponse:
    """The response for a problem."""
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    text = text.encode(errors="replace").decode()  # half a character from a client, which JSON cannot represent
    return JSONResponse({"error": text}, status, headers)


def handle_problems(app: FastAPI) -> None:
    """Report every error of a request in this form; other errors remain errors of the server."""

    @app.exception_handler(ProblemError)
    async def _problem(request: Request, problem: ProblemError) -> JSONResponse:
        return answer(problem.status, problem.text)

    @app.exception_handler(ChainruleError)
    async def _ours(request: Request, error: ChainruleError) -> JSONResponse:
        return answer(422, " ".join(str(error).split()))

    @app.exception_handler(ClientDisconnect)
    async def _gone(request: Request, gone: ClientDisconnect) -> JSONResponse:
        return answer(400, "the body was not sent to its end")  # nobody hears it

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, invalid: RequestValidationError) -> JSONResponse:
        told = [
            f"{'.'.join(map(str, e['loc'][1:])) or 'body'}: {e['msg'].removeprefix('Value error, ')}"
            for e in invalid.errors()[:5]
        ]
        return answer(422, "; ".join(told) + " (what is possible: /docs)")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        text = str(error.detail)
        if error.status_code == 404:
            text = f"there is nothing at {request.url.path}: see /docs"
        if error.status_code == 405:
            text = f"{request.method} is not possible at {request.url.path}: see /docs"
        response = answer(error.status_code, text)
        if error.status_code == 405:
            response.headers["Allow"] = ", ".join(sorted(_methods(request)))
        return response


def _methods(request: Request) -> set[str]:
    """The methods allowed at the request's address."""
    return {
        method.upper()
        for path, methods in request.app.openapi()["paths"].items()
        if compile_path(path)[0].match(request.url.path)
        for method in methods
    }
