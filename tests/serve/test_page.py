"""The page in a real browser, without a network: what people see and do."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_service import Running, picture

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver: apt-get install chromium chromium-driver"
)
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def chromium(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run"):
        options.add_argument(f"--{flag}")
    for flag in ("disable-background-networking", "disable-component-update", "disable-sync"):
        options.add_argument(f"--{flag}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")  # nothing but the service
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    """The page, by what is written on it."""

    def __init__(self, driver: Any, url: str, size: str) -> None:
        # A window of Chromium is no narrower than 500 pixels: the page's own size is set
        width, height = SIZES[size]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        permission = {"origin": url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        driver.execute_cdp_cmd("Browser.grantPermissions", permission)
        driver.get(url + "/")
        for log in ("browser", "performance"):  # from here on
            driver.get_log(log)
        self.driver = driver

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def wait(self, condition: Any, seconds: float = 60) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: condition())

    def status(self, text: str) -> None:
        self.wait(lambda: text in self.one("#status").get_attribute("textContent"))

    def drop(self, name: str, data: bytes, kind: str = "drop") -> None:
        """As if a file were dropped on the page, or pasted."""
        self.driver.execute_script(
            """
            const [name, bytes, kind] = arguments;
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name));
            const options = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(kind === "drop"
              ? new DragEvent("drop", { ...options, dataTransfer: data })
              : new ClipboardEvent("paste", { ...options, clipboardData: data }));
            """,
            name,
            list(data),
            kind,
        )

    def words(self) -> list[str]:
        return [button.text for button in self.all("#text button")]

    def error(self) -> str:
        return str(self.wait(lambda: self.one("#error").text))

    def complaints(self) -> list[str]:
        """Of the browser: errors of scripts, what the policy forbids; not statuses that the service answers."""
        lines = [entry["message"] for entry in self.driver.get_log("browser")]
        return [line for line in lines if "Failed to load resource" not in line]


@pytest.fixture
def page(chromium: Any, service: Running) -> Page:
    return Page(chromium, service.url, "desktop")


@pytest.fixture(params=list(SIZES))
def any_page(request: pytest.FixtureRequest, chromium: Any, service: Running) -> Page:
    """In both sizes."""
    return Page(chromium, service.url, request.param)


def _save(page: Page, tmp_path: Path) -> None:
    page.driver.save_screenshot(str(tmp_path / "page.png"))


def test_a_dropped_photo_is_read_and_its_words_light_up(any_page: Page, tmp_path: Path) -> None:
    page = any_page
    page.drop("street.png", picture("HOTEL", "EXIT 42"))
    page.status("Read 3 words")
    _save(page, tmp_path)
    assert page.words() == ["HOTEL", "EXIT", "42"]
    assert len(page.all("#boxes polygon")) == 3
    assert "street.png" in page.one("#caption").text
    page.all("#text button")[1].click()
    assert page.all("#text button")[1].get_attribute("aria-pressed") == "true"
    (lit,) = page.all("#boxes polygon.on")
    assert lit.get_attribute("points") == page.all("#boxes polygon")[1].get_attribute("points")
    letters = [row.text.split()[0] for row in page.all("#word tbody tr")]
    assert "".join(letters) == "EXIT"
    assert "%" in page.all("#word tbody tr td")[2].text or page.all("#word tbody tr td")[2].text == ""
    page.all("#text button")[1].click()
    assert not page.all("#text button[aria-pressed=true]")
    assert page.complaints() == []


def test_boxes_lie_on_their_words_and_can_be_clicked(any_page: Page) -> None:
    page = any_page
    from selenium.webdriver import ActionChains

    page.drop("street.png", picture("HOTEL", "EXIT 42"))
    page.status("Read 3 words")
    frame, box = page.one("#photo").rect, page.all("#boxes polygon")[0].rect
    assert frame["width"] <= SIZES["desktop"][0]
    assert abs(box["x"] - frame["x"] - frame["width"] * 20 / 260) < 0.03 * frame["width"]
    assert box["y"] + box["height"] < frame["y"] + frame["height"] / 2
    ActionChains(page.driver).move_to_element(page.all("#boxes polygon")[0]).click().perform()
    assert page.one("#text button.on").text == "HOTEL"
    assert page.one("#word .says").text == "HOTEL"


def test_it_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    from selenium.webdriver import ActionChains, Keys

    page.drop("street.png", picture("HOTEL"))
    page.status("Read 1 word")
    for _ in range(12):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        if page.driver.switch_to.active_element.text == "HOTEL":
            break
    assert page.driver.switch_to.active_element.text == "HOTEL"
    assert len(page.all("#boxes polygon.on")) == 1
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    assert page.one("#text button").get_attribute("aria-pressed") == "true"
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    assert page.one("#text button").get_attribute("aria-pressed") == "false"


def test_a_pasted_photo_is_read_and_its_text_copied(page: Page) -> None:
    page.drop("image.png", picture("HOTEL", "EXIT 42"), "paste")
    page.status("Read 3 words")
    page.one("#copy").click()
    page.wait(lambda: page.one("#copy").text == "Copied")
    assert page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == "HOTEL\nEXIT 42"


def test_a_chosen_photo_is_read_and_downloaded(page: Page, downloads: Path, tmp_path: Path) -> None:
    (tmp_path / "chosen.png").write_bytes(picture("HOTEL"))
    page.one("#file").send_keys(str(tmp_path / "chosen.png"))
    page.status("Read 1 word")
    for button, name in (("#json", "chosen.json"), ("#hocr", "chosen.hocr")):
        page.one(button).click()
        page.status(name)
        if page.one("#save").is_displayed():  # on a busy machine
            page.one("#save").click()
        page.wait((downloads / name).exists)
    found = json.loads((downloads / "chosen.json").read_text(encoding="utf-8"))
    assert [line["text"] for line in found["lines"]] == ["HOTEL"]
    assert "ocrx_word" in (downloads / "chosen.hocr").read_text(encoding="utf-8")
    for file in downloads.iterdir():
        file.unlink()


def test_the_slider_hides_doubtful_words(page: Page) -> None:
    page.drop("street.png", picture("HOTEL"))
    page.status("Read 1 word")
    page.driver.execute_script(
        "const s = arguments[0]; s.value = 1; s.dispatchEvent(new Event('input'))", page.one("#least")
    )
    assert page.words() == []
    assert page.one("#least-shown").text == "100 %"
    assert not page.one("#copy").is_enabled()


def test_errors_are_said_in_words(page: Page, tmp_path: Path) -> None:
    page.drop("broken.png", picture("HOTEL")[:900])
    assert page.error().startswith("broken.png cannot be decoded")
    assert not page.one("#result").is_displayed()
    page.drop("notes.txt", b"no picture")
    page.wait(lambda: "not an image" in page.one("#error").text)
    page.drop("large.png", bytes(2_000_001))
    page.wait(lambda: "over the limit of 2 MB" in page.one("#error").text)
    _save(page, tmp_path)
    page.drop("street.png", picture("HOTEL"))
    page.status("Read 1 word")
    assert page.one("#error").text == ""


def test_nothing_is_wider_than_the_window_and_all_controls_have_names(any_page: Page) -> None:
    page = any_page
    page.drop(f"{'a_very_long_file_name' * 8}.png", picture("HOTEL", "EXIT 42"))
    page.status("Read 3 words")
    width, window = page.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    controls = [
        n for n in tree if n.get("role", {}).get("value") in ("button", "slider", "link", "textbox", "progressbar")
    ]
    assert len(controls) > 5
    assert all(node["name"]["value"] for node in controls if not node.get("ignored"))


def test_a_key_is_asked_for_where_one_is_needed(chromium: Any, started: Any) -> None:
    page = Page(chromium, started(WORDSIGHT_API_KEY="open sesame").url, "desktop")
    page.drop("street.png", picture("HOTEL"))
    assert "key" in page.error()
    page.one("#key").send_keys("open sesame\n")
    page.status("Read 1 word")
    assert page.words() == ["HOTEL"]


def test_a_service_that_is_gone_is_said_to_be(chromium: Any, started: Any) -> None:
    running = started()
    page = Page(chromium, running.url, "desktop")
    assert running.end() == 0
    page.drop("street.png", picture("HOTEL"))
    assert "does not answer" in page.error()


def test_the_docs_work_without_a_network(chromium: Any, service: Running) -> None:
    page = Page(chromium, service.url, "desktop")
    page.driver.get(service.url + "/docs")
    page.wait(lambda: any("/v1/read" in each.text for each in page.all(".opblock-summary-path")))
    assert page.complaints() == []
    asked = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    urls = {each["params"]["request"]["url"] for each in asked if each["method"] == "Network.requestWillBeSent"}
    assert any(url.endswith("swagger-ui-bundle.js") for url in urls)
    assert {url for url in urls if url.startswith("http") and not url.startswith(service.url)} == set()
