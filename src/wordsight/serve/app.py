"""The service as an ASGI application: its addresses, and what each answers."""

from functools import partial
from hmac import compare_digest
from importlib.resources import files
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from wordsight import __version__
from wordsight.serve import schema
from wordsight.serve.answers import JSON
from wordsight.serve.batch import Batch
from wordsight.serve.front import Front
from wordsight.serve.options import BatchOptions, Constrained, Model, ReadOptions, one_line, parse
from wordsight.serve.refusals import Refusal, departed, malformed
from wordsight.serve.service import Service
from wordsight.serve.settings import MAX_CROPS

_BEARER = HTTPBearer(auto_error=False)
PAGE = files("wordsight.serve") / "page"

_ABOUT = """Reads the words in photographs. Errors are `{"error": "one line"}`. Options go in the query of the address
or are fields of the form. A body that is no form is taken for a picture, whatever its Content-Type says."""

# A letter of each script that LiteParse's language codes may ask for.
_LETTERS = {
    **dict.fromkeys(("zh", "chi", "zho"), "中"),
    **dict.fromkeys(("ja", "jpn"), "あ"),
    **dict.fromkeys(("ko", "kor"), "한"),
    **dict.fromkeys(("ar", "ara", "fa", "fas", "ur", "urd"), "ا"),
    **dict.fromkeys(("ru", "rus", "uk", "ukr", "bg", "bul", "be", "bel", "sr", "srp", "mk", "mkd"), "а"),
    **dict.fromkeys(("hi", "hin", "mr", "mar", "ne", "nep"), "अ"),
    **dict.fromkeys(("el", "ell"), "α"),
    **dict.fromkeys(("he", "heb"), "א"),
    **dict.fromkeys(("th", "tha"), "ก"),
}


def create_app(service: Service) -> FastAPI:
    """The application of a service."""
    # Redirects to an address with or without a slash at its end would lead to whatever host the client names
    app = FastAPIOffline(title="wordsight", version=__version__, description=_ABOUT, redoc_url=None,
                         redirect_slashes=False, lifespan=service.lifespan)  # fmt: skip
    app.add_middleware(Front, metrics=service.metrics)
    _answer_errors(app, service)
    _add_pages(app)
    _add_health(app, service)
    _add_reading(app, service)
    return app


def _add_reading(app: FastAPI, service: Service) -> None:
    keyed = [Depends(partial(_check_key, service.settings.api_key)), Depends(_check_query)]

    @app.post(
        "/v1/read",
        tags=["reading"],
        dependencies=keyed,
        response_class=Response,
        responses=schema.READ,
        openapi_extra=schema.body("file"),
    )
    async def read(request: Request, options: Annotated[ReadOptions, Query()]) -> Response:
        """Reads a photograph: JSON as `Reader.read(...).to_dict()` writes it, or another format."""
        with service.body(request) as body:
            ((name, picture),), fields = await body.pictures(1)
            options = _with(options, fields)
            content, media_type = await service.do(request, partial(service.read, picture, options, name))
        return Response(content, media_type=media_type)

    @app.post(
        "/v1/crops",
        tags=["reading"],
        dependencies=keyed,
        response_class=Response,
        responses=schema.CROPS,
        openapi_extra=schema.body("files", many=True),
    )
    async def read_crops(request: Request, options: Annotated[Constrained, Query()]) -> Response:
        """Reads pictures of one word or line each: an entry for each, in order, a word or its `error`."""
        with service.body(request) as body:
            files, fields = await body.pictures(MAX_CROPS)
            options = _with(options, fields)
            content = await service.do(request, partial(service.read_crops, files, options))
        return Response(content, media_type=JSON)

    @app.post(
        "/v1/batch",
        tags=["reading"],
        dependencies=keyed,
        response_class=Response,
        responses=schema.BATCH,
        openapi_extra=schema.body("files", many=True, raw=False),
    )
    async def read_batch(request: Request, options: Annotated[BatchOptions, Query()]) -> Response:
        """Reads many photographs: a line of JSON for each as soon as it is done, with its `index` in the form."""
        batch = Batch(service, request, options)
        await batch.start()
        return batch

    @app.post(
        "/ocr",
        tags=["others' interfaces"],
        dependencies=keyed,
        response_class=Response,
        responses=schema.OCR,
        openapi_extra=schema.body("file", raw=False, fields={"language": {"type": "string", "default": "en"}}),
    )
    async def ocr(request: Request) -> Response:
        """LiteParse's OCR server interface: words in reading order. `language` must be one that the model can write."""
        with service.body(request) as body:
            if not body.is_form:
                raise malformed("/ocr takes a form with a field `file`: send multipart/form-data", 400)
            ((_, picture),), fields = await body.pictures(1)
            language = fields.get("language", "en")
            if not service.engine.writes(_LETTERS.get(language.lower().replace("_", "-").split("-")[0], "")):
                raise malformed(f"the model cannot write the language {language[:20]!r}: use one that can", 400)
            content = await service.do(request, partial(service.ocr, picture))
        return Response(content, media_type=JSON)


def _with(options: Model, fields: dict[str, str]) -> Model:
    """Options of the address together with those of a form."""
    return parse(type(options), options.model_dump(exclude_unset=True) | fields) if fields else options


async def _check_key(key: str | None, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
    if key is not None and not (given and compare_digest(given.credentials.encode(), key.encode())):
        raise Refusal(
            401,
            "key",
            "this service needs an API key: send it as `Authorization: Bearer ...`",
            {"WWW-Authenticate": "Bearer"},
        )


async def _check_query(request: Request) -> None:
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise malformed("the address is not UTF-8 text in percent signs: encode it as UTF-8") from None


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/health/live", tags=["operation"])
    async def live() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "alive"}

    @app.get("/health/ready", tags=["operation"], responses={503: {"description": "Not yet, or no more."}})
    async def ready() -> JSONResponse:
        """Whether a picture was read since the start, and the service is not about to end."""
        return JSONResponse({"status": "ready" if service.ready else "not ready"}, 200 if service.ready else 503)

    @app.get("/metrics", tags=["operation"], response_class=Response)
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _add_pages(app: FastAPI) -> None:
    page = (PAGE / "index.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    app.mount("/page", StaticFiles(directory=str(PAGE)))


def _answer_errors(app: FastAPI, service: Service) -> None:
    """Whatever goes wrong becomes a status and one line of JSON."""

    def answer(refusal: Refusal) -> JSONResponse:
        service.metrics.rejected.labels(refusal.reason).inc()
        return JSONResponse({"error": str(refusal)}, refusal.status, refusal.headers)

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(one_line(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path[:200]}: {error.detail}: /docs lists what there is"
        return answer(Refusal(error.status_code, "address", message, error.headers))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, error: ClientDisconnect) -> Response:
        return answer(departed())  # for the log: nobody is there to get it

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        return answer(Refusal(500, "error", "this could not be done: the service's log says why"))
