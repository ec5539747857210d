"""A headless Chromium that sees nothing but this machine's loopback."""

import base64
import os
import pathlib
import shutil

import pytest

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
# No sandbox: tests may run as root. The rest keeps it from asking anybody but 127.0.0.1.
SWITCHES = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
            "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-default-apps",
            "--disable-extensions", "--disable-domain-reliability", "--metrics-recording-only",
            "--disable-breakpad", "--no-pings", "--no-proxy-server", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
PAGE_TIMEOUT = 30


def missing():
    """Why there is no browser here; None if there is one."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "python3-selenium is not installed"
    for program, package in ((CHROMIUM, "chromium"), (DRIVER, "chromium-driver")):
        if not shutil.which(program):
            return f"{package} is not installed"
    return None


class Browser:
    """One page at a time; whatever the console says is kept for no_errors()."""

    def __init__(self, folder):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in [*SWITCHES, f"--user-data-dir={folder / 'profile'}"]:
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder),
                       "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
        self.driver = webdriver.Chrome(service=Service(DRIVER, env=environment), options=options)
        self.driver.set_page_load_timeout(PAGE_TIMEOUT)

    def close(self):
        self.driver.quit()

    # --- how it is set up -----------------------------------------------------------------------

    def emulate(self, width=1280, height=900, theme="light", script=True):
        """A screen of that size, a preferred theme, and whether scripts run."""
        cdp = self.driver.execute_cdp_cmd
        cdp("Emulation.setDeviceMetricsOverride", {"width": width, "height": height,
                                                   "deviceScaleFactor": 1, "mobile": width < 500})
        cdp("Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": theme}]})
        cdp("Emulation.setScriptExecutionDisabled", {"value": not script})

    # --- what tests order and ask ---------------------------------------------------------------

    def open(self, url):
        self.console()  # what came before is not this page's
        self.driver.get(url)
        return self

    def run(self, script, *arguments):
        """The value of a script's return."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        from selenium.webdriver.common.by import By
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements are {selector}"
        return found[0]

    def text(self, selector):
        """The text of the element as it is in the document, shown or not."""
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def press(self, *keys):
        from selenium.webdriver import ActionChains
        ActionChains(self.driver).send_keys(*keys).perform()

    def console(self):
        """What the console said since the last call, as texts."""
        return [f"{entry['level']}: {entry['message']}" for entry in
                self.driver.get_log("browser")]

    def look(self):
        """What is wrong with the page as it is shown: contrast, names, structure, room."""
        return self.run((pathlib.Path(__file__).parent / "look.js").read_text())

    def names(self, role):
        """The names of all of that role, as a screen reader gets them."""
        tree = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [node.get("name", {}).get("value", "") for node in tree
                if node.get("role", {}).get("value") == role and not node.get("ignored")]

    def everything(self):
        """All that a page holds: markup, texts, and the values of attributes, as bytes."""
        return self.run("return document.documentElement.outerHTML").encode()

    def screenshot(self, path):
        """The whole page as a PNG."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return innerWidth")
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "fromSurface": True,
            "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The one browser of a test file."""
    reason = missing()
    if reason:
        pytest.skip(f"no browser: {reason} (scripts/install-packages test)")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium, stage):  # the stage is there to end after it: no page is left without a server
    """The browser as it is at first: a wide light screen, scripts run. It must end without a word
    on its console; a test that expects some takes them away by console()."""
    chromium.emulate()
    yield chromium
    said = chromium.console()
    chromium.emulate()
    chromium.open("about:blank")
    assert not said, said
