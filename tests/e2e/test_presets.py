"""The shipped providers, each with nothing but its credentials, against what their documents say.

Only the hosts are overridden: they would be the internet. The endpoints here are written from the
documents and know nothing of bearerd's own sandbox.
"""

import datetime
import json
import urllib.parse

import pytest
from actors import EchoApi, replying, section, wait_until
from actors.airpay import Airpay


@pytest.fixture
def start(run, idp, canary):
    """bearerd with a preset whose token endpoint is the idp, and a route to the API."""
    def start(preset, path, api, route=None, **keys):
        settings = {"preset": preset, "token_url": idp.origin + path, "client_id": "literal:the-id",
                    "client_secret": f"literal:{canary.secret('preset+secret/1 x')}", **keys}
        return run(section(f"provider {preset}", settings) + section("route api", {
            "path": "/api", "provider": preset, "upstream": api.origin + "/v1", **(route or {})}))
    return start


def fields(answer):
    assert answer.status == 200, answer
    return dict(answer.json()["fields"])


# --- KRA eTIMS ------------------------------------------------------------------------------------


KRA = ["kra-etims", "kra-etims-sandbox"]
KRA_PATH = "/v1/token/generate"


@pytest.fixture
def kra(idp):
    """Answers as the real one: only GET with the grant in the query gives a token."""
    def behave(stream, request):
        if request.method == "GET":
            answer = idp.new_token()
            idp.send_json(stream, 200, {"access_token": answer["access_token"],
                                        "expires_in": "3599"})
        else:
            stream.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    idp.always(behave)
    return idp


@pytest.mark.parametrize("preset", KRA)
def test_kra_etims(start, kra, api, preset):
    bearerd = start(preset, KRA_PATH, api, **{
        "var.tin": "P051234567X", "var.bhf_id": "00", "var.cmc_key": "KEY1"})
    sent = fields(bearerd.post("/api/saveTrnsSalesOsdc", b"{}"))
    assert bearerd.post("/api/selectCodeList").status == 200
    assert kra.count == 1
    request = kra.requests[0]
    assert (request.method, request.target) == ("GET", KRA_PATH + "?grant_type=client_credentials")
    assert request.body == b"" and "Content-Length" not in request.fields
    assert request.basic.startswith("the-id:preset+secret/1 x")
    assert sent["Authorization"] == f"Bearer {kra.token}"
    assert (sent["tin"], sent["bhfId"], sent["cmcKey"]) == ("P051234567X", "00", "KEY1")
    assert "apigee_app_id" not in sent


def test_kra_etims_with_credentials_alone(start, kra, api):
    assert not {"tin", "bhfId", "cmcKey", "apigee_app_id"} & set(fields(
        start("kra-etims", KRA_PATH, api).post("/api/x")))


def test_kra_etims_initialisation_has_a_route_of_its_own(start, kra, api):
    sent = fields(start("kra-etims", KRA_PATH, api, {"header_remove": "tin, bhfId, cmcKey"}, **{
        "var.tin": "P051234567X", "var.bhf_id": "00", "var.cmc_key": "KEY1",
        "var.apigee_app_id": "app-1"}).post("/api/initialize"))
    assert not {"tin", "bhfId", "cmcKey"} & set(sent)
    assert sent["apigee_app_id"] == "app-1"


@pytest.mark.parametrize("text", ["access token expired", "Invalid Token"])
def test_kra_etims_faults_of_the_gateway(start, kra, upstream, text):
    fault = json.dumps({"fault": {"faultstring": text}}).encode()
    api = upstream(replying(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n%b" % (len(fault), fault),
                            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert start("kra-etims", KRA_PATH, api).get("/api/x").body == b"ok"
    assert kra.count == 2


def test_kra_etims_a_400_that_is_no_error(start, kra, upstream):
    body = b'{"resultCd":"001","resultMsg":"There is no search result"}'
    api = upstream(replying(b"HTTP/1.1 400 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)))
    answer = start("kra-etims", KRA_PATH, api).get("/api/x")
    assert (answer.status, answer.body) == (400, body)
    assert kra.count == 1


@pytest.mark.parametrize("status,body,code", [
    (400, b"", "token_refused"), (200, b"", "token_unavailable"),
    (200, b'{"errorCode":"401","errorMessage":"bad"}', "token_refused"),
    (200, b"grant_type=client_credentials", "token_unavailable"),
])
def test_kra_etims_failures(start, idp, api, status, body, code):
    idp.then(idp.answer(status, body))
    assert start("kra-etims", KRA_PATH, api).get("/api/x").problem()["code"] == code


# --- Truphone -------------------------------------------------------------------------------------


TRUPHONE_PATH = "/auth/realms/tru-staff/protocol/openid-connect/token"


def test_truphone(start, idp, api):
    idp.expires_in = 300
    idp.shape = lambda answer: {**answer, "refresh_expires_in": 0, "not-before-policy": 0,
                                "token_type": "bearer", "scope": "profile"}
    bearerd = start("truphone", TRUPHONE_PATH, api)
    first, second = fields(bearerd.get("/api/a")), fields(bearerd.get("/api/b"))
    request = idp.requests[0]
    form = dict(request.form)
    assert form["grant_type"] == "client_credentials" and form["client_id"] == "the-id"
    assert form["client_secret"].startswith("preset+secret/1 x")
    assert first["X-Correlation-ID"] != second["X-Correlation-ID"]
    mine = fields(bearerd.get("/api/c", [("X-Correlation-ID", "mine")]))
    assert mine["X-Correlation-ID"] == "mine"
    assert idp.count == 1


def test_truphone_refreshes(start, idp, api):
    """An older Keycloak gives refresh tokens; a refresh goes to the same place, by form."""
    idp.expires_in, idp.refresh_tokens = 2, True
    idp.shape = lambda answer: {**answer, "refresh_expires_in": 1800}
    bearerd = start("truphone", TRUPHONE_PATH, api)
    wait_until(lambda: fields(bearerd.get("/api/x")) and idp.count >= 2, "a refresh", 6)
    form = dict(idp.requests[1].form)
    assert form.pop("client_secret")
    assert form == {"grant_type": "refresh_token", "refresh_token": idp.refresh_issued[0],
                    "client_id": "the-id"}
    assert idp.requests[1].path == TRUPHONE_PATH


# --- Bambora --------------------------------------------------------------------------------------


def test_bambora(start, idp, api):
    sent = fields(start("bambora", "/connect/token", api).post("/api/merchants/1/payments"))
    request = idp.requests[0]
    assert request.basic.startswith("the-id:preset+secret/1 x")
    assert dict(request.form) == {
        "grant_type": "client_credentials",
        "scope": "auth_token_payment cancel_payment capture_payment read_payment refund_payment"}
    assert b" " not in request.body
    assert sent["API-Version"] == "1"
    assert sent["Authorization"] == f"Bearer {idp.token}"


@pytest.mark.parametrize("status", [402, 409, 422, 451])
def test_bambora_business_errors_are_no_reason_for_a_token(start, idp, api, status):
    assert start("bambora", "/connect/token", api).get(f"/api/status/{status}").status == status
    assert idp.count == 1


# --- WeTix ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["wetix", "wetix-sandbox"])
def test_wetix(start, idp, api, preset):
    idp.expires_in = 5184000
    idp.shape = lambda answer: {**answer, "refresh_token_expires_in": 31536000}
    bearerd = start(preset, "/auth/token", api)
    fields(bearerd.post("/api/graphql", b'{"query":"{a}"}'))
    request = idp.requests[0]
    assert request.json == {"grant_type": "client_credentials"}
    assert request.basic.startswith("the-id:preset+secret/1 x")


def test_wetix_refreshes_elsewhere(start, idp, api):
    idp.expires_in, idp.refresh_tokens = 2, True
    idp.shape = lambda answer: {**answer, "refresh_token_expires_in": 31536000}
    bearerd = start("wetix", "/auth/token", api, refresh_url=idp.origin + "/auth/refresh")
    wait_until(lambda: fields(bearerd.get("/api/x")) and idp.count >= 2, "a refresh", 6)
    request = idp.requests[1]
    assert request.path == "/auth/refresh"
    assert request.json == {"grant_type": "refresh_token", "refresh_token": idp.refresh_issued[0]}
    assert request.basic


# --- Airpay ---------------------------------------------------------------------------------------


AIRPAY_PATH = "/airpay/pay/v4/api/oauth2/"


@pytest.fixture
def airpay(idp, canary):
    """The merchant of the documents."""
    merchant = Airpay("demoUser01", canary.secret("airpay-password"), "456", "4b88dc",
                      canary.secret("airpay-secret"))
    idp.always(merchant.behaviour(idp))
    return merchant


@pytest.fixture
def start_airpay(start, airpay):
    def start_airpay(api, **keys):
        return start("airpay", AIRPAY_PATH, api, **{
            "client_id": "literal:4b88dc",
            "client_secret": f"literal:{airpay.expected['client_secret']}",
            "var.merchant_id": "456", "envelope_username": "literal:demoUser01",
            "envelope_password": f"literal:{airpay.password}", **keys})
    return start_airpay


@pytest.fixture
def query_api(stage, idp):
    """An API that wants its token in the query."""
    api = stage.add(EchoApi(idp))
    api.token_accepted = lambda request: idp.accepts(
        dict(urllib.parse.parse_qsl(request.target.partition("?")[2])).get("token"))
    return api


def test_airpay(start_airpay, airpay, idp, query_api):
    bearerd = start_airpay(query_api)
    answer = bearerd.post("/api/verify/?a=1&token=evil", b"merchant_id=456")
    assert answer.status == 200
    assert answer.json()["target"] == f"/v1/verify/?a=1&token={idp.token}"
    assert "Authorization" not in fields(answer)
    assert airpay.verdicts == [None]
    assert idp.requests[0].fields.get("Content-Type") == "application/x-www-form-urlencoded"
    assert "Authorization" not in idp.requests[0].fields
    assert bearerd.get("/api/x").status == 200
    assert idp.count == 1


def test_airpay_a_refusal_inside_a_200(start_airpay, airpay, query_api, canary):
    wrong = canary.secret("a wrong secret")
    answer = start_airpay(query_api, client_secret=f"literal:{wrong}").get("/api/x")
    assert (answer.status, answer.problem()["code"]) == (502, "token_refused")
    assert airpay.verdicts == ["Invalid client id or secret"]
    assert not query_api.requests


def test_airpay_a_wrong_key_is_never_success(start_airpay, airpay, idp, query_api, canary):
    """One wrong key in 256 passes the padding check; JSON with a token does not come of it."""
    idp.always(lambda stream, request: idp.send_json(stream, 200, airpay.reply(
        {"data": idp.new_token()})))
    answer = start_airpay(query_api,
                          envelope_password=f"literal:{canary.secret('other password')}"
                          ).get("/api/x")
    assert answer.status in (502, 503)
    assert not query_api.requests


@pytest.mark.parametrize("content", [
    {"success": False, "msg": "Invalid client id or secret"},
    {"status_code": "400", "error_code": "903", "status": "fail", "message": "Invalid client"},
])
def test_airpay_refusals_in_other_shapes(start_airpay, airpay, idp, query_api, content):
    idp.always(lambda stream, request: idp.send_json(stream, 200, airpay.reply(content)))
    assert start_airpay(query_api).get("/api/x").problem()["code"] == "token_refused"


def test_airpay_a_refusal_in_clear(start_airpay, idp, query_api):
    idp.always(idp.answer(200, {"success": False, "msg": "Parameters are required"}))
    assert start_airpay(query_api).get("/api/x").problem()["code"] == "token_refused"


def test_airpay_expires_in_as_text(start_airpay, airpay, idp, query_api):
    idp.expires_in = "300"
    bearerd = start_airpay(query_api)
    for _ in range(3):
        assert bearerd.get("/api/x").status == 200
    assert idp.count == 1


def test_airpay_another_zone(start_airpay, airpay, query_api):
    """The zone of the checksum's date is a key: two zones that never share a date."""
    airpay.zone = datetime.timezone(datetime.timedelta(hours=-12))
    assert start_airpay(query_api, envelope_timezone="-12:00").get("/api/x").status == 200
    assert airpay.verdicts == [None]


def test_airpay_a_refused_token_is_replaced(start_airpay, idp, query_api):
    bearerd = start_airpay(query_api)
    assert bearerd.get("/api/x").status == 200
    idp.revoke_all()
    assert bearerd.get("/api/x").status == 200
    assert idp.count == 2


# --- all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset,extra", [
    ("kra-etims", {}), ("kra-etims-sandbox", {}), ("truphone", {}), ("bambora", {}), ("wetix", {}),
    ("wetix-sandbox", {}),
    ("airpay", {"var.merchant_id": "1", "envelope_username": "literal:u1",
                "envelope_password": "literal:p1"}),
])
def test_a_preset_needs_only_its_credentials(configure, preset, extra):
    bearerd = configure(section("provider p", {"preset": preset, "client_id": "literal:a",
                                               "client_secret": "literal:b", **extra})
                        + section("route r", {"provider": "p", "upstream": "https://a.example"}))
    assert bearerd.check().status == 0
    bearerd.write_config(section("provider p", {"preset": preset}) + section(
        "route r", {"provider": "p", "upstream": "https://a.example"}))
    result = bearerd.check()
    assert result.status == 78
    assert "client_id" in result.output


def test_a_preset_from_a_file(run, idp, api, canary, tmp_path):
    (tmp_path / "own.ini").write_text(section("provider own", {"token_url": idp.url,
                                                               "client_auth": "client_secret_post"}))
    bearerd = run(section("provider mine", {
        "preset": tmp_path / "own.ini", "client_id": "literal:a",
        "client_secret": f"literal:{canary.secret('own-preset')}"}) + section(
            "route r", {"provider": "mine", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    assert dict(idp.requests[0].form)["client_id"] == "a"
