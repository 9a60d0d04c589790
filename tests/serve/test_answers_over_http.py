"""What the service answers, over HTTP from a process of its own: the library's results, and refusals in one line."""

import io
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from PIL import Image
from running_service import Running, Start, crop, picture

from wordsight import Photo, Reader
from wordsight.export import FORMATS, find_format

BOXES = [[10, 25, 200, 90], [[10, 115], [140, 115], [140, 180], [10, 180]], [0, 0, 0, 0]]
POLYGONS = [[(10, 25), (200, 25), (200, 90), (10, 90)], BOXES[1], [(0, 0)] * 4]


def _post(service: Running, path: str, body: bytes = b"", **options: Any) -> httpx2.Response:
    return httpx2.post(service.url + path, content=body or None, timeout=300, **options)


def _sample() -> bytes:
    return picture("HOTEL", "EXIT 42")


@pytest.mark.parametrize("kind", ["image/png", "application/x-www-form-urlencoded", "text/html", "multipart/form-data"])
def test_a_raw_picture_is_read_whatever_its_type_is_said_to_be(service: Running, reader: Reader, kind: str) -> None:
    answer = _post(service, "/v1/read?name=a.png", _sample(), headers={"Content-Type": kind})
    assert answer.status_code == 200
    assert answer.json() == reader.read(_sample(), name="a.png").to_dict()
    assert Photo.from_json(answer.text).text == "HOTEL\nEXIT 42"


def test_a_picture_larger_than_the_detector_looks_at_is_read_as_the_library_reads_it(
    service: Running, reader: Reader
) -> None:
    """Large JPEGs are decoded reduced, which changes what is read a little."""
    data = io.BytesIO()
    Image.open(io.BytesIO(_sample())).resize((2080, 1760), Image.Resampling.BICUBIC).save(data, "JPEG")
    answer = _post(service, "/v1/read?name=a.jpg", data.getvalue())
    assert answer.json() == reader.read(data.getvalue(), name="a.jpg").to_dict()
    assert answer.json()["lines"]


def test_a_form_is_read_with_its_file_name_and_options(service: Running, reader: Reader) -> None:
    form: dict[str, Any] = {"files": {"file": ("b.png", _sample())}, "data": {"boxes": json.dumps(BOXES)}}
    answer = _post(service, "/v1/read", **form)
    assert answer.json() == reader.read(_sample(), POLYGONS, name="b.png").to_dict()
    assert len(answer.json()["problems"]) == 1
    assert len(answer.json()["lines"]) == 2


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"html", "page"}))  # not served; has the time in it
def test_every_format_is_written(service: Running, reader: Reader, form: str) -> None:
    answer = _post(service, f"/v1/read?format={form}&name=c.png", _sample())
    photo = reader.read(_sample(), name="c.png")
    assert answer.text == (photo.to_json() if form == "json" else find_format(form).document([photo]))


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("pattern=[0-9]%2B", {"pattern": "[0-9]+"}),
        ("allow=EXIT", {"allow": "EXIT"}),
        ("lexicon=motel%0Aexit%0A42", {"lexicon": ["motel", "exit", "42"]}),
    ],
)
def test_constraints_are_those_of_the_library(service: Running, query: str, options: dict[str, Any]) -> None:
    answer = _post(service, f"/v1/read?name=x&min_confidence=0&{query}", _sample())
    assert answer.json() == Reader(min_confidence=0, **options).read(_sample(), name="x").to_dict()


def test_characters_and_doubtful_words_can_be_left_out(service: Running, reader: Reader) -> None:
    words = _post(service, "/v1/read?characters=false", _sample()).json()["lines"][0]["words"]
    assert set(words[0]) == {"text", "confidence", "polygon"}
    assert _post(service, "/v1/read?min_confidence=1", _sample()).json()["lines"] == []


def test_crops_come_back_in_order_with_errors_in_their_places(service: Running, reader: Reader) -> None:
    crops = [crop(text) for text in ("HOTEL", "42", "Open")]
    files = [("files", (f"{i}.png", data)) for i, data in enumerate([crops[0], b"rubbish", *crops[1:]])]
    found = _post(service, "/v1/crops", files=files).json()["words"]
    assert [word.get("text") for word in found] == ["HOTEL", None, "42", "Open"]
    assert "not an image" in found[1]["error"]
    assert [found[0], *found[2:]] == [word.to_dict() for word in reader.read_crops(crops)]
    assert _post(service, "/v1/crops", crops[0]).json()["words"] == [reader.read_crops(crops[:1])[0].to_dict()]


def test_a_batch_answers_a_line_for_every_picture(service: Running, reader: Reader) -> None:
    pictures = [picture(text) for text in ("HOTEL", "EXIT", "Open")]
    files = [("files", (f"{i}.png", data)) for i, data in enumerate([*pictures[:2], b"rubbish", pictures[2]])]
    answer = _post(service, "/v1/batch", files=files, data={"min_confidence": "0.1"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = {line["index"]: line for line in map(json.loads, answer.text.splitlines())}
    assert sorted(lines) == [0, 1, 2, 3]
    assert lines[2]["status"] == 422
    assert lines[2]["source"] == "2.png"
    again = Reader(min_confidence=0.1)
    for number, data in ((0, pictures[0]), (1, pictures[1]), (3, pictures[2])):
        assert lines[number] == {"index": number} | again.read(data, name=f"{number}.png").to_dict()


def test_a_batch_goes_on_after_a_picture_that_is_too_large(service: Running, reader: Reader) -> None:
    good, large = picture("HOTEL"), _noise()
    assert len(large) > 2e6  # the limit here
    for order in ("glg", "lg", "ggll", "llllg"):
        files = [("files", (f"{i}.png", {"g": good, "l": large}[kind])) for i, kind in enumerate(order)]
        answer = _post(service, "/v1/batch", files=files)
        assert answer.status_code == 200
        lines = {line["index"]: line for line in map(json.loads, answer.text.splitlines())}
        assert sorted(lines) == list(range(len(order)))
        for number, kind in enumerate(order):
            assert lines[number]["source"] == f"{number}.png"
            if kind == "g":
                assert lines[number] == {"index": number} | reader.read(good, name=f"{number}.png").to_dict()
            else:
                assert lines[number]["status"] == 413
                assert lines[number]["error"] == "the picture is over the limit of 2 MB: make it smaller"


def test_a_batch_skips_only_so_much(service: Running) -> None:
    files = [("files", (f"{i}.png", data)) for i, data in enumerate([picture("HOTEL"), b"x" * 18_000_000, b"y"])]
    lines = [json.loads(line) for line in _post(service, "/v1/batch", files=files).text.splitlines()]
    assert sorted(line["index"] for line in lines) == [0, 1]
    (broken,) = [line for line in lines if line["index"] == 1]
    assert broken["status"] == 413
    assert "skipped is over the limit of 16 MB" in broken["error"]


def test_a_batch_is_answered_while_it_is_sent(service: Running) -> None:
    """The first line arrives before the last picture is on its way."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    with socket.create_connection((urlsplit(service.url).hostname, urlsplit(service.url).port)) as line:
        line.settimeout(300)
        line.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n")
        line.sendall(b"Content-Type: multipart/form-data; boundary=x\r\nConnection: close\r\n\r\n")
        first = head + picture("HOTEL") + b"\r\n"
        line.sendall(b"%x\r\n%s\r\n" % (len(first) + len(head), first + head))
        received = b""
        while b'"index": 0' not in received:
            received += line.recv(65536)
        last = picture("EXIT") + b"\r\n--x--\r\n"
        line.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(last), last))
        while data := line.recv(65536):
            received += data
    assert b'"index": 1' in received


def test_the_interface_of_liteparse(service: Running, reader: Reader) -> None:
    answer = _post(service, "/ocr", files={"file": ("page.png", _sample())}, data={"language": "en"})
    results = answer.json()["results"]
    assert [each["text"] for each in results] == ["HOTEL", "EXIT", "42"]
    for each, word in zip(results, reader.read(_sample()).words, strict=True):
        left, top, right, bottom = each["bbox"]
        assert left < right
        assert top < bottom
        assert each["polygon"] == word.to_dict()["polygon"]
        assert each["confidence"] == word.to_dict()["confidence"]
        assert [left, top] == [min(x for x, _ in each["polygon"]), min(y for _, y in each["polygon"])]
    empty = io.BytesIO()
    Image.new("RGB", (100, 100), "white").save(empty, "PNG")
    assert _post(service, "/ocr", files={"file": empty.getvalue()}).json() == {"results": []}
    for wrong in (
        {"files": {"file": _sample()}, "data": {"language": "zh"}},
        {"data": {"language": "en"}, "files": {}},
    ):
        refused = _post(service, "/ocr", **wrong)  # type: ignore[arg-type]
        assert refused.status_code == 400
        assert set(refused.json()) == {"error"}


def _large() -> bytes:
    """Small to send, over the limit of pixels."""
    data = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(data, "PNG")
    return data.getvalue()


def _noise() -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)).save(data, "PNG")
    return data.getvalue()


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
CASES: dict[str, tuple[int, str, bytes, str]] = {
    "truncated": (422, "/v1/read", _sample()[:900], "truncated or damaged"),
    "empty": (422, "/v1/read", b"", "image is empty"),
    "unknown": (422, "/v1/read", b"GIF, said the cat", "not an image"),
    "100 megapixels": (422, "/v1/read", _large(), "over the limit of 4000000"),
    "HEIC": (422, "/v1/read", HEIC, "header") if find_spec("pillow_heif") else (415, "/v1/read", HEIC, "HEIC"),
    "too many bytes": (413, "/v1/read", _noise(), "over the limit of 2 MB"),
    "a crop that is none": (422, "/v1/crops", b"rubbish", "not an image"),
    "an unknown option": (422, "/v1/read?colour=red", _sample(), "no option 'colour'"),
    "a confidence": (422, "/v1/read?min_confidence=2", _sample(), "min_confidence: input should be less"),
    "a confidence that is none": (422, "/v1/read?min_confidence=nan", _sample(), "min_confidence"),
    "a format": (422, "/v1/read?format=docx", _sample(), "no format 'docx'"),
    "boxes": (422, "/v1/read?boxes={}", _sample(), "boxes are not a JSON list"),
    "nested boxes": (422, "/v1/read?boxes=" + "[" * 5000, _sample(), "boxes are not a JSON list"),
    "many boxes": (422, f"/v1/read?boxes={[[0, 0, 9, 9]] * 1001}".replace(" ", ""), _sample(), "over 1000 boxes"),
    "large boxes": (
        422,
        f"/v1/read?boxes={[[0, 0, 260, 220]] * 300}".replace(" ", ""),
        _sample(),
        "more than 4 times",
    ),
    "a pattern": (422, "/v1/read?pattern=[", _sample(), "pattern '[' cannot be used"),
    "a hostile pattern": (422, "/v1/crops?pattern=(a|b)*a(a|b){30}", crop("HOTEL"), "states"),
    "many states": (422, "/v1/crops?pattern=[a-zA-Z]{1,4000}", crop("HOTEL"), "too expensive"),
    "a long pattern": (422, "/v1/read?pattern=" + "a" * 1001, _sample(), "1001 characters"),
    "two constraints": (422, "/v1/read?pattern=a&allow=b", _sample(), "exclude each other"),
    "a long name": (422, "/v1/read?name=" + "x" * 256, _sample(), "at most 255 characters"),
    "a name that is no text": (422, "/v1/read?name=%FF", _sample(), "not UTF-8"),
    "no address": (404, "/v1/reed", _sample(), "/docs"),
    "a batch that is no form": (400, "/v1/batch", _sample(), "multipart/form-data"),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_cannot_be_read_is_refused_in_one_line(service: Running, case: str) -> None:
    status, path, body, part = CASES[case]
    answer = _post(service, path, body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert part in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert httpx2.get(service.url + "/health/live").status_code == 200


NAMES = [
    "a\u202egnp.exe",
    "b\u2028c.png",
    "\x1b[2J\t.png",
    "x" * 255,
    "\N{SNOWMAN}\U0001f600",
    ' a"b;c .png ',
    "%41.png",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_as_they_were_given(service: Running, reader: Reader, name: str) -> None:
    answer = httpx2.post(service.url + "/v1/read", params={"name": name}, content=_sample(), timeout=300)
    assert answer.json() == reader.read(_sample(), name=name).to_dict()
    quoted = name.encode().replace(b'"', b'\\"')
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = _post(service, "/v1/read", part + _sample() + b"\r\n--x--\r\n", headers=form)
    assert answer.json()["source"] == name
    for path in ("/v1/read", "/v1/batch", "/v1/crops"):
        answer = _post(service, path, part + b"rubbish\r\n--x--\r\n", headers=form)
        assert answer.text.count("\n") == (path == "/v1/batch")
        assert answer.json()["error"].isprintable()
    assert json.loads(_post(service, "/v1/batch", part + b"x\r\n--x--\r\n", headers=form).text)["source"] == name


@pytest.mark.parametrize(("name", "says"), [(b"x" * 256, "256 characters"), (b"caf\xe9.png", "not UTF-8")])
@pytest.mark.parametrize("path", ["/v1/read", "/v1/crops", "/v1/batch", "/ocr"])
def test_file_names_that_cannot_be_returned_are_refused(service: Running, path: str, name: bytes, says: str) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = _post(service, path, part + _sample() + b"\r\n--x--\r\n", headers=form)
    assert answer.status_code == 422
    assert says in answer.json()["error"]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/", "/docs"])
def test_what_can_be_got_can_be_asked_about(service: Running, path: str) -> None:
    """HEAD, which monitors and proxies send."""
    answer = httpx2.head(service.url + path)
    assert answer.status_code == 200
    assert answer.content == b""
    assert httpx2.head(service.url + "/v1/read").status_code == 405
    assert answer.headers["content-type"] == httpx2.get(service.url + path).headers["content-type"]


@pytest.mark.parametrize(("length", "status"), [(60_000, 422), (65_536, 414), (100_000, 414), (600_000, 431)])
def test_addresses_that_are_too_long_are_told_so(service: Running, length: int, status: int) -> None:
    with socket.create_connection((urlsplit(service.url).hostname, urlsplit(service.url).port)) as line:
        line.settimeout(60)
        line.sendall(b"POST /v1/read?pattern=" + b"x" * length)
        if length < 200_000:
            line.sendall(b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"--x\r\n\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc',
        b"--x--\r\n",
    ],
)
@pytest.mark.parametrize("path", ["/v1/read", "/v1/crops", "/v1/batch", "/ocr"])
def test_forms_that_are_none_are_refused(service: Running, path: str, body: bytes) -> None:
    answer = _post(service, path, body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("part", "count", "message"),
    [
        (b"--x\r\n" + b"a:b\r\n" * 7 + b"\r\n\r\n", 16_000, "a part of the form has no name"),
        (
            b"--x\r\nContent-Disposition:form-data;name=a\r\n\r\n\r\n",
            16_000,
            "more than 100 fields that are no pictures",
        ),
        (b"--x\r\n" + b"a:b\r\n" * 150_000, 1, "Maximum header count exceeded"),
    ],
    ids=["nameless", "fields", "headers"],
)
@pytest.mark.parametrize("path", ["/v1/read", "/v1/crops", "/v1/batch", "/ocr"])
def test_forms_of_tiny_parts_are_refused_at_once(
    service: Running, path: str, part: bytes, count: int, message: str
) -> None:
    """Parsing them took two seconds, in which nobody else was answered."""
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = _post(service, path, part * count + b"--x--\r\n", headers=form)
    assert answer.status_code == 422
    assert message in answer.text


@pytest.mark.parametrize("boundary", ["y" * 5000, '""'])
def test_boundaries_that_are_none_are_refused(service: Running, boundary: str) -> None:
    answer = _post(service, "/v1/read", b"--y", headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}


def test_a_line_of_pixels_is_no_more_work_than_a_line_of_text(service: Running) -> None:
    data = io.BytesIO()
    Image.new("1", (1, 3_900_000)).save(data, "PNG")
    answer = _post(service, "/v1/crops", data.getvalue())
    assert answer.json()["words"][0]["polygon"][2] == [1.0, 3_900_000.0]


@pytest.mark.parametrize("path", ["/page", "/page/", "/v1/read/", "/docs/", "/metrics/"])
def test_nobody_is_sent_to_the_host_that_a_client_names(service: Running, path: str) -> None:
    answer = httpx2.get(service.url + path, headers={"Host": "elsewhere.example"}, follow_redirects=False)
    assert (answer.status_code, "location" in answer.headers) == (404, False)
    assert "elsewhere" not in answer.text


def test_no_other_site_may_ask_through_a_browser(service: Running) -> None:
    answer = httpx2.options(
        service.url + "/v1/read", headers={"Origin": "https://x.test", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    page = httpx2.get(service.url, headers={"Origin": "https://x.test"})
    assert not [name for name in page.headers if name.lower().startswith("access-control")]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


def test_metrics_tell_what_happened(service: Running) -> None:
    assert _post(service, "/v1/read", _sample()).status_code == 200
    assert _post(service, "/v1/read", b"rubbish").status_code == 422
    lines = httpx2.get(service.url + "/metrics").text.splitlines()
    values = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}
    for stage in ("upload", "queue", "read", "detect", "recognize"):
        assert values[f'wordsight_stage_seconds_count{{stage="{stage}"}}'] >= 1
    assert values['wordsight_rejected_total{reason="image"}'] >= 1
    assert values['wordsight_requests_total{route="/v1/read",status="200"}'] >= 1
    assert values["wordsight_batch_crops_count"] >= 1
    assert values["wordsight_queue_depth"] == 0
    if Path("/proc/self/statm").exists():
        assert values["process_resident_memory_bytes"] > 1e7


def test_the_log_tells_nothing_of_what_was_read(service: Running) -> None:
    _post(service, "/v1/read?name=secret.png&pattern=[A-Z]%2B", _sample())
    lines = [line for line in service.log if "POST /v1/read 200" in line]
    assert lines
    assert not [line for line in service.log if "secret" in line or "A-Z" in line or "HOTEL" in line]


def test_the_schema_has_examples(service: Running) -> None:
    paths = httpx2.get(service.url + "/openapi.json").json()["paths"]
    assert {"/v1/read", "/v1/crops", "/v1/batch", "/ocr", "/health/live", "/health/ready", "/metrics"} <= set(paths)
    for path in ("/v1/read", "/v1/crops", "/v1/batch", "/ocr"):
        post = paths[path]["post"]
        assert "multipart/form-data" in post["requestBody"]["content"]
        (content,) = post["responses"]["200"]["content"].values()
        assert content["example"]
        assert {"400", "413", "422", "503", "504"} <= set(post["responses"])
    example = paths["/v1/read"]["post"]["responses"]["200"]["content"]["application/json"]["example"]
    assert Photo.from_dict(example).text == "HOTEL"


def test_a_key_is_asked_for_where_there_is_one(started: Start) -> None:
    running = started(WORDSIGHT_API_KEY="s3cret\n")  # as files of secrets end
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic czNjcmV0"},
        {"X-API-Key": "s3cret"},
    ):
        for path in ("/v1/read", "/v1/crops", "/v1/batch", "/ocr"):
            assert _post(running, path, _sample(), headers=headers).status_code == 401
    assert _post(running, "/v1/read", _sample(), headers={"Authorization": "Bearer s3cret"}).status_code == 200
    assert httpx2.get(running.url + "/health/ready").status_code == 200


def test_clients_at_once_get_what_each_would_get_alone(service: Running, reader: Reader) -> None:
    texts = ["HOTEL", "EXIT 42", "Open", "CAFE BAR", "Bus 7"]
    photos = {text: picture(text) for text in texts}
    alone = {text: reader.read(data, name=text).to_dict() for text, data in photos.items()}
    words = {text: [word.to_dict() for word in reader.read_crops([crop(text)])] for text in texts}

    def client(number: int) -> int:
        with httpx2.Client(base_url=service.url, timeout=300) as http:
            for turn in range(6):
                text = texts[(number + turn) % len(texts)]
                kind = (number + turn) % 3
                if kind == 0:
                    assert http.post("/v1/read", params={"name": text}, content=photos[text]).json() == alone[text]
                elif kind == 1:
                    assert http.post("/v1/crops", content=crop(text)).json()["words"] == words[text]
                else:
                    assert http.post("/v1/read", content=photos[text][:200]).status_code == 422
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(client, range(8))) == list(range(8))
