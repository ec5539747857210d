"""The status page in a browser: figures that move, orders that are asked about, looks, and no
secret. Leaves screenshots beside the binary, in status-page/."""

import os
import pathlib
import re
import threading

import pytest
from actors import EchoApi, Idp, Server, section, wait_until, wire

SHOTS = pathlib.Path(os.environ["BEARERD"]).resolve().parent / "status-page"
ROW = "#providers tbody[data-name='{}']"
# Counts the timers that are pending: whether the page still means to ask.
TIMERS = """window.pending = new Set();
const set = window.setTimeout, clear = window.clearTimeout;
window.setTimeout = (f, ms) => { const id = set(() => { pending.delete(id); f(); }, ms);
                                 pending.add(id); return id; };
window.clearTimeout = (id) => { pending.delete(id); clear(id); };"""


class Screen:
    """A person before the status page of one bearerd."""

    def __init__(self, browser, bearerd):
        self.browser, self.bearerd = browser, bearerd

    def open(self):
        self.browser.open(f"http://127.0.0.1:{self.bearerd.admin_port}/status")
        return self

    def follow(self):
        """Opens it and waits until its script has taken over."""
        self.open()
        self.wait(lambda: self.browser.all("[data-name]"), "the first figures")
        return self

    @staticmethod
    def wait(condition, what):
        return wait_until(condition, what, 30)

    def wait_text(self, selector, pattern):
        return self.wait(lambda: re.search(pattern, self.browser.text(selector)),
                         f"{selector} to say {pattern}")

    def generation(self, provider="idp"):
        return self.browser.run("return document.querySelector(arguments[0]).dataset.generation",
                                ROW.format(provider))

    def order(self, word, provider="idp"):
        """Presses a button of a provider; the question is open then."""
        self.browser.one(f"button[aria-label='{word} the token of {provider}']").click()
        assert self.browser.run("return document.querySelector('dialog').open")

    def agree(self):
        self.browser.one("#ask-yes").click()

    def focused(self):
        return self.browser.run("return document.activeElement.ariaLabel ||"
                                " document.activeElement.textContent")


@pytest.fixture
def screen(browser, proxy):
    return Screen(browser, proxy)


class Load:
    """Requests one after the other on one connection, until it is left."""

    def __init__(self, bearerd, *paths):
        self.bearerd, self.paths = bearerd, paths
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        with self.bearerd.client() as client:
            while not self.stopping.wait(0.02):
                for path in self.paths:
                    client.get(path)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(20)


# --- figures --------------------------------------------------------------------------------------


def test_figures_change_under_load(screen, proxy):
    screen.follow()
    screen.wait_text("#verdict", "All is well")
    with Load(proxy, "/x"):
        row = "#routes tr[data-name='all']"
        screen.wait_text(f"{row} td:nth-child(2) .now", r"[1-9][\d.]* /s")
        screen.wait_text(f"{row} td:nth-child(2)", r"[1-9]\d* since the start")
        screen.wait_text(f"{row} td:nth-child(4)", r"p50 [\d.]+ ms.*p99 [\d.]+ ms")
        screen.wait_text("#clients", "1")
        screen.wait_text(ROW.format("idp"), "59 min")
        screen.wait(lambda: screen.browser.run(
            "return [...document.querySelectorAll('#overall .line, #routes .line')]"
            ".every(line => line.getAttribute('d').split('L').length > 3)"), "lines to be drawn")
    assert screen.browser.run("return document.querySelectorAll('#overall .line').length") == 5
    assert "now" in screen.browser.all("#overall .plot")[0].get_attribute("aria-label")


def test_a_plot_tells_of_the_moment_under_the_pointer(screen, proxy):
    from selenium.webdriver import ActionChains
    screen.follow()
    with Load(proxy, "/x"):
        screen.wait_text("#overall .now", r"[1-9][\d.]* /s")
    plot = screen.browser.all("#overall .plot")[0]
    screen.wait(lambda: screen.browser.run("return document.querySelector('#overall .line')"
                                           ".getAttribute('d').split('L').length > 4"), "points")
    ActionChains(screen.browser.driver).move_to_element_with_offset(plot, 0, 0).perform()
    screen.wait_text("#overall .now .sub", r"\d+:\d\d:\d\d")
    ActionChains(screen.browser.driver).move_to_element(screen.browser.one("h1")).perform()
    screen.wait_text("#overall .now .sub", r"^$")


def test_errors_show_as_they_come(screen, proxy, idp):
    screen.follow()
    idp.always(idp.answer(400, {"error": "invalid_client"}))
    with Load(proxy, "/x"):
        screen.wait_text("#verdict", "Failing")
        screen.wait_text("#concerns", "Provider idp gives no token: .*invalid_client")
        screen.wait_text("#concerns", r"Route all: \d+ of the last minute's")
        screen.wait_text("#errors", "token_refused")
        screen.wait_text("#routes tr[data-name='all'] td:nth-child(3) .now", "100 %")
        screen.wait_text("#routes tr[data-name='all'] td:nth-child(3)", r"502: \d")
    assert "Failing – bearerd 127.0.0.1" in screen.browser.driver.title


def test_what_a_reload_adds_and_takes_away(screen, proxy, provider, api, canary):
    screen.follow()
    key = canary.secret("key-of-the-shop")
    assert not screen.browser.one("#callers-part").is_displayed()
    proxy.write_config(provider("first") + provider("idp") + provider("last") + section(
        "route another", {"provider": "last", "upstream": api.origin})
        + section("caller shop", {"api_key": f"literal:{key}"}))
    proxy.signal(1)
    screen.wait(lambda: screen.browser.run(
        "return [...document.querySelectorAll('[data-name]')].map(e => e.dataset.name).join()")
        == "first,idp,last,another,shop,none", "the new names in their order")
    proxy.get("/x", [("X-Api-Key", key)])
    screen.wait_text("#callers", r"shop\d+: 11")
    assert screen.browser.one("#callers-part").is_displayed()
    assert not canary.leaks(screen.browser.everything())


def test_pause_and_resume(screen):
    added = screen.browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument",
                                                  {"source": TIMERS})
    try:
        screen.follow()
        screen.wait(lambda: screen.browser.run("return pending.size") == 1, "the next question")
        screen.browser.one("#pause").click()
        assert screen.browser.text("#pause") == "Resume"
        assert screen.browser.run("return pending.size") == 0
        screen.browser.one("#pause").click()
        screen.wait(lambda: screen.browser.run("return pending.size") == 1, "it to go on")
    finally:
        screen.browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_it_says_when_bearerd_is_gone_and_goes_on(screen, proxy):
    for _ in range(3):
        proxy.get("/x")
    screen.follow()
    proxy.stop()
    screen.wait(lambda: screen.browser.one("#lost").is_displayed(), "the loss to be noticed")
    assert "does not answer; what is shown is of" in screen.browser.text("#lost")
    assert all("ERR_" in line for line in screen.browser.console())
    proxy.start()
    screen.wait(lambda: not screen.browser.one("#lost").is_displayed(), "the return")
    screen.wait_text("#routes tr[data-name='all'] td:nth-child(2)", "0 since the start")
    assert "-" not in screen.browser.text("#overall .now")
    screen.browser.console()  # it may have asked while nobody listened


# --- orders ---------------------------------------------------------------------------------------


def test_a_refresh_is_asked_about_and_brings_a_new_token(screen, proxy, idp):
    proxy.get("/x")
    screen.follow()
    screen.wait(lambda: screen.generation() == "1", "the first token")
    screen.order("Refresh")
    assert screen.browser.text("#ask-title") == "Refresh the token of idp?"
    assert screen.focused() == "Cancel"
    screen.browser.one("#ask-no").click()
    assert not screen.browser.run("return document.querySelector('dialog').open")
    assert screen.focused() == "Refresh the token of idp" and idp.count == 1
    screen.order("Refresh")
    screen.agree()
    screen.wait_text("#said", "idp: a new token, number 2, good for (59 min|1 h)")
    screen.wait(lambda: screen.generation() == "2", "the second token")
    assert idp.count == 2
    screen.wait(lambda: screen.focused() == "Refresh the token of idp", "the focus to come back")


def test_a_refresh_that_fails_says_why(screen, proxy, idp):
    idp.always(idp.answer(400, {"error": "x", "error_description": "<img src=x onerror=y> no"}))
    screen.follow()
    screen.order("Refresh")
    screen.agree()
    screen.wait_text("#said", "gave no token: .*<img src=x onerror=y> no")
    screen.wait_text(ROW.format("idp"), "failed.*<img src=x")
    assert not screen.browser.all("img") and len(screen.browser.all("script")) == 1
    assert all("502" in line for line in screen.browser.console())


def test_a_token_is_forgotten_after_a_question(screen, proxy, idp):
    proxy.get("/x")
    screen.follow()
    screen.order("Forget")
    assert "dropped at once" in screen.browser.text("#ask-text")
    screen.agree()
    screen.wait_text("#said", "idp: the token is dropped")
    screen.wait(lambda: screen.generation() == "", "the token to go")
    screen.wait_text(ROW.format("idp"), "empty")
    assert proxy.get("/x").status == 200 and idp.count == 2


def test_keys_are_enough(screen, proxy, idp):
    from selenium.webdriver.common.keys import Keys
    proxy.get("/x")
    screen.follow()
    stops = []
    while "Forget the token of idp" not in stops and len(stops) < 12:
        screen.browser.press(Keys.TAB)
        stops.append(screen.focused())
        assert screen.browser.run("return getComputedStyle(document.activeElement)"
                                  ".outlineStyle") == "solid", stops
    assert stops[0].startswith("Skip to") and "Refresh the token of idp" in stops, stops
    screen.browser.press(Keys.ENTER)
    assert screen.focused() == "Cancel"
    screen.browser.press(Keys.ESCAPE)
    assert screen.focused() == "Forget the token of idp" and idp.count == 1
    screen.browser.press(Keys.ENTER, Keys.TAB, Keys.ENTER)
    screen.wait_text("#said", "the token is dropped")


class Elsewhere(Server):
    """A site of somebody else that tries to give orders."""

    name = "elsewhere"

    def __init__(self, target):
        self.page = f"""<!doctype html><link rel=icon href=data:,><iframe name=f></iframe>
<form method=post target=f action="http://{target}/providers/idp/refresh"></form><script>
const url = "http://{target}/providers/idp/", own = {{mode: "no-cors"}};
Promise.allSettled([fetch(url + "refresh", {{method: "POST", ...own}}),
  fetch(url + "refresh", {{method: "POST"}}), fetch(url + "token", {{method: "DELETE"}}),
  fetch("http://{target}/status.json"),
  new Promise(done => {{ document.querySelector("iframe").onload = done;
                         document.forms[0].submit(); }})])
  .then(all => {{ document.title = all.map(one => one.status).join(" "); }});
</script>""".encode()
        super().__init__()

    def serve(self, sock, number):
        stream = wire.Stream(sock, timeout=30)
        while wire.read_request_head(stream):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
                         % len(self.page) + self.page)


def test_a_page_of_somebody_else_can_give_no_order(browser, stage, proxy, idp):
    proxy.get("/x")
    elsewhere = stage.add(Elsewhere(f"127.0.0.1:{proxy.admin_port}"))
    browser.open(f"{elsewhere.origin}/")
    wait_until(lambda: " " in browser.driver.title, "all attempts to end", 30)
    # the first was sent, but its answer is not to be read; the others were stopped by the browser
    assert browser.driver.title.split()[1:4] == ["rejected", "rejected", "rejected"]
    assert idp.count == 1
    assert '"generation":1,' in proxy.admin("/status.json")[2]
    assert browser.console()


# --- looks ----------------------------------------------------------------------------------------


@pytest.fixture
def troubled(run, provider, idp, stage, api):
    """A bearerd of which some is well and some is not."""
    refusing, down = stage.add(Idp(stage.canary)), stage.add(Idp(stage.canary))
    refusing.always(refusing.answer(400, {"error": "invalid_client",
                                          "error_description": "the client is unknown"}))
    bearerd = run(
        provider("bambora") + provider("etims", idp=refusing) + provider("truphone", idp=down)
        + provider("a-provider-that-has-a-rather-long-name-as-some-of-them-do")
        + section("route payments", {"path": "/bambora/", "provider": "bambora",
                                     "upstream": api.origin})
        + section("route invoices", {"path": "/etims/", "provider": "etims",
                                     "upstream": "https://api.example.com/a/rather/long/path/v1/"})
        + section("route sim-cards", {"path": "/sim/", "host": "sim.example.com",
                                      "provider": "truphone",
                                      "upstream": stage.add(EchoApi(down)).origin}))
    for path, host, status in (("/bambora/x", None, 200), ("/etims/x", None, 502),
                               ("/sim/x", "sim.example.com", 200), ("/none", None, 404)):
        assert bearerd.get(path, host=host).status == status
    down.always(down.answer(503, "down", "text/plain"))
    assert bearerd.admin("/providers/truphone/refresh", "POST")[0] == 502
    return bearerd


@pytest.fixture
def shots():
    SHOTS.mkdir(exist_ok=True)
    return SHOTS


def test_looks(browser, troubled, shots):
    """Both themes, a desk and a phone: readable, nothing over anything, no scrolling sideways."""
    screen = Screen(browser, troubled).follow()
    with Load(troubled, "/bambora/x", "/bambora/status/500"):
        screen.wait(lambda: browser.run("return document.querySelector('#overall .line')"
                                        ".getAttribute('d').split('L').length > 4"), "a plot")
    for details in browser.all("details")[:3]:
        details.find_element("tag name", "summary").click()
    for theme in ("light", "dark"):
        for width in (1280, 768, 390, 320):
            browser.emulate(width=width, theme=theme)
            browser.screenshot(shots / f"{theme}-{width}.png")
            assert browser.look() == [], f"{theme}, {width}"


def test_looks_of_the_question(browser, troubled, shots):
    for theme in ("light", "dark"):
        screen = Screen(browser, troubled)
        browser.emulate(width=390, theme=theme)
        screen.follow().order("Forget", "bambora")
        browser.screenshot(shots / f"question-{theme}-390.png")
        assert browser.look() == []


def test_looks_when_all_is_well(screen, proxy, shots):
    proxy.get("/x")
    screen.follow()
    with Load(proxy, "/x"):
        screen.wait_text("#overall .now", r"[1-9][\d.]* /s")
    screen.browser.screenshot(shots / "well-1280.png")
    assert screen.browser.look() == []


def test_what_a_screen_reader_gets(browser, troubled):
    Screen(browser, troubled).follow()
    buttons = browser.names("button")
    assert all(buttons) and "Forget the token of bambora" in buttons and "Pause" in buttons
    assert all(len(browser.names(role)) == 1 for role in ("banner", "main", "contentinfo"))
    assert browser.names("table")[0].startswith("Where tokens come from")
    assert {"State", "Token", "Orders", "Latency"} <= set(browser.names("columnheader"))
    assert any("bambora" in one for one in browser.names("rowheader"))
    assert "Failing" in browser.names("heading")
    browser.emulate(width=390)  # rows are cards there, and a table all the same
    assert browser.names("table")[0].startswith("Where tokens come from")
    assert {"State", "Token"} <= set(browser.names("columnheader"))
    assert any("bambora" in one for one in browser.names("rowheader"))


def test_without_script_it_is_a_table(browser, troubled, shots):
    for width in (1280, 390):
        browser.emulate(width=width, script=False)
        Screen(browser, troubled).open()
        browser.screenshot(shots / f"no-script-{width}.png")
        assert browser.look() == []
        assert not any(button.is_displayed() for button in browser.all("button"))
        assert "Without JavaScript" in browser.one("noscript").text
        table = browser.one("#providers").text
        assert "bambora" in table and "ready" in table and "the client is unknown" in table
        assert "payments" in browser.one("#routes").text


# --- secrets --------------------------------------------------------------------------------------


def test_no_secret_in_the_document(screen, proxy, idp, canary):
    proxy.get("/x")
    screen.follow()
    screen.order("Refresh")
    screen.agree()
    screen.wait_text("#said", "a new token")
    idp.always(idp.answer(400, {"error": f"bad {idp.token}"}))
    screen.order("Refresh")
    screen.agree()
    screen.wait_text("#said", "gave no token")
    screen.wait_text(ROW.format("idp"), "bad ")
    assert not canary.leaks(screen.browser.everything())
    stored = screen.browser.run("return JSON.stringify([{...localStorage}, {...sessionStorage},"
                                " document.cookie])")
    assert stored == "[{},{},\"\"]"
    screen.browser.console()  # the 502 of the second order
