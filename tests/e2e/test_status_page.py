"""The status page as it is sent, and /status.json behind it: whole, sealed off, without secrets."""

import base64
import hashlib
import html.parser
import json
import pathlib
import re

import pytest
from actors import Client, in_parallel

VOID = {"meta", "link"}
REFERENCE = pathlib.Path(__file__).resolve().parents[2] / "config" / "README.md"


class Page(html.parser.HTMLParser):
    """A strict look at a document: every element closed in its turn, attributes kept."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts = [], [], {}
        self.feed(source)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), attrs
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def text(self, tag):
        return "".join(self.texts.get(tag, []))


def page_of(bearerd):
    status, fields, text = bearerd.admin("/status")
    assert status == 200 and fields["Content-Type"] == "text/html; charset=utf-8"
    return Page(text)


def ask(bearerd, method, path, fields=(), host=None):
    with Client(bearerd.admin_port) as client:
        return client.request(method, path, fields, host=host)


# --- how it is sent -------------------------------------------------------------------------------


def test_the_policy_lets_nothing_but_its_own_code_work(proxy):
    status, fields, text = proxy.admin("/status")
    assert status == 200
    policy = dict(one.strip().split(" ", 1) for one in
                  fields["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == policy["trusted-types"] == "'none'"
    assert policy["connect-src"] == "'self'" and policy["img-src"] == "data:"
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        [code] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    assert fields["X-Frame-Options"] == "DENY"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["Referrer-Policy"] == "no-referrer"
    assert fields["Cross-Origin-Resource-Policy"] == "same-origin"
    assert fields["Cache-Control"] == "no-store"


def test_nothing_comes_from_elsewhere(proxy):
    page = page_of(proxy)
    for tag, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name == "style"], attrs
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert re.match(r"[a-z#]", attrs.get(name) or "#") and "//" not in re.sub(
                "^data:.*", "", attrs.get(name) or ""), (tag, attrs)
    assert "@import" not in page.text("style") and "url(" not in page.text("style")
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|eval\(", page.text("script"))


def test_head_is_get_without_a_body(proxy):
    answer = ask(proxy, "HEAD", "/status")
    assert answer.status == 200 and answer.fields.get("Content-Security-Policy")


# --- what it says ---------------------------------------------------------------------------------


def test_its_structure(proxy):
    proxy.get("/x")
    page = page_of(proxy)
    assert page.all("html")[0]["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    assert page.all("meta")[1]["content"].startswith("width=device-width")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(page.all("table")) == len(page.all("caption")) == 5  # with the provider's history
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    assert {attrs["aria-labelledby"] for attrs in page.all("section")
            if "aria-labelledby" in attrs} <= set(ids)
    roles = [one.get("role") for _, one in page.elements]
    assert roles.count("status") == 2 and roles.count("alert") == 1


def test_without_script_it_has_the_figures(proxy, api):
    for _ in range(3):
        assert proxy.get("/x").status == 200
    assert proxy.exchange(b"GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 421
    page = page_of(proxy)
    assert "All is well" in page.text("h1") and page.all("body")[0]["class"] == "well"
    headings = page.text("th")
    assert "idp" in headings and "all" in headings and "host_not_accepted" in headings
    texts = page.text("b") + page.text("span")
    assert "59 min" in texts and "renewal due in" in texts and "ready" in texts
    assert "3" in page.texts["b"] and api.origin in texts
    assert "1 token request, the last" in page.text("summary")
    assert "success" in page.texts["td"] and "a token for 1 h" in page.texts["td"]
    [life] = [one for one in page.all("svg") if "life" in one["class"]]
    assert re.match(r"(99|100) % of its life left", life["aria-label"])


def test_a_failure_is_said_in_words_and_stays_words(proxy, idp):
    idp.always(idp.answer(400, {"error": "invalid_client",
                                "error_description": "<script>alert(1)</script><img src=x>"}))
    assert proxy.get("/x").status == 502
    page = page_of(proxy)
    assert "Failing" in page.text("h1") and page.all("body")[0]["class"] == "fails"
    assert "Provider idp gives no token" in page.text("li")
    assert "<script>alert(1)</script>" in page.text("p")
    assert len(page.all("script")) == 1 and not page.all("img")


def test_a_failed_renewal_only_warns(proxy, idp):
    proxy.get("/x")
    idp.always(idp.answer(503, "down", "text/plain"))
    assert proxy.admin("/providers/idp/refresh", "POST")[0] == 502
    page = page_of(proxy)
    assert "Needs attention" in page.text("h1")
    assert "The present one is good for 59 min" in page.text("li")
    state = json.loads(proxy.admin("/status.json")[2])
    assert [one["failing"] for one in state["concerns"]] == [False]


def test_a_failed_reload_warns(proxy):
    proxy.write_config("[provider idp]\nnonsense = 1\n")
    proxy.signal(1)
    proxy.wait_log("nonsense")
    assert "The last reload failed" in page_of(proxy).text("li")


def test_no_secret_on_it(proxy, idp, canary):
    proxy.get("/x")
    idp.always(idp.answer(400, {"error": f"bad {idp.token}"}))
    proxy.admin("/providers/idp/refresh", "POST")
    for path in ("/status", "/status.json"):
        status, fields, text = proxy.admin(path)
        assert status == 200 and "bad " in text
        assert not canary.leaks((str(fields) + text).encode())


def members(value):
    """The names of all members of a JSON document; those that are names of things left out."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            if name not in ("by_status", "own_errors", "requests"):
                yield from members(one)
    elif isinstance(value, list):
        for one in value:
            yield from members(one)


def test_the_reference_has_every_member(proxy, idp):
    proxy.get("/x")
    idp.always(idp.answer(503, "down", "text/plain"))
    proxy.admin("/providers/idp/refresh", "POST")
    proxy.signal(1)
    proxy.wait_log("reload")
    names = set(members(json.loads(proxy.admin("/status.json")[2])))
    section = REFERENCE.read_text().partition("## Health, metrics and the status page")[2]
    documented = set(re.findall(r"`([a-z0-9_]+)`", section.partition("\n## ")[0]))
    assert names and names <= documented, names - documented


# --- who may ask ----------------------------------------------------------------------------------


def test_other_hosts_and_pages_do_not_get_it(proxy):
    assert ask(proxy, "GET", "/status", host="rebound.example.com").status == 421
    assert ask(proxy, "GET", "/status", [("Sec-Fetch-Site", "cross-site")]).status == 403
    assert ask(proxy, "GET", "/status", [("Origin", "http://evil.example")]).status == 403
    assert ask(proxy, "POST", "/status").status == 405


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1",
                                    "http://127.0.0.1", "https://127.0.0.1:{port}",
                                    "http://127.0.0.1:{port}.evil.example", ""])
def test_orders_of_other_origins_do_nothing(proxy, idp, origin):
    """What a browser sends for a form or a fetch of a page that is not ours."""
    proxy.get("/x")
    fields = [("Origin", origin.format(port=proxy.admin_port)),
              ("Content-Type", "application/x-www-form-urlencoded")]
    for method, path in (("POST", "/providers/idp/refresh"), ("DELETE", "/providers/idp/token")):
        answer = ask(proxy, method, path, fields)
        assert answer.status == 403 and answer.problem()["code"] == "origin_forbidden"
    # a form cannot say DELETE, and the method is not taken from elsewhere
    assert ask(proxy, "POST", "/providers/idp/token?_method=DELETE").status == 405
    assert json.loads(proxy.admin("/status.json")[2])["providers"][0]["token"]["generation"] == 1
    assert idp.count == 1


def test_many_ask_at_once(proxy):
    pages = in_parallel(50, lambda _: proxy.admin("/status"))
    assert {status for status, _, _ in pages} == {200}
    assert all(text.endswith("</html>\n") for _, _, text in pages)
