"""[store] file: tokens outlive the process, several instances share them, and losing it costs little."""

import base64
import os
import secrets
import signal
import stat
import threading
import time

import pytest
from actors import RotatingIdp, in_parallel, section, wait_until


# each while tokens rotate; BEARERD_KILLS tries more
KILLS = int(os.environ.get("BEARERD_KILLS", "12"))


def new_key():
    return base64.b64encode(secrets.token_bytes(32)).decode()


class Shop:
    """One store file, and instances of bearerd that use it."""

    def __init__(self, stage, provider, api, idp):
        self.stage, self.provider, self.api = stage, provider, api
        self.named = stage.canary.also("the-client", idp.url, idp.authority, "access_token",
                                       "refresh_token", "client_credentials")
        self.path = stage.folder / "tokens"
        self.key = stage.canary.secret("store-key", new_key())
        # one for all instances: with another secret it is another source
        self.secret = f"literal:{stage.canary.secret('client-secret')}"

    def config(self, key=None, key_old=None, path=None, **keys):
        return section("store", {
            "file": path or self.path, "key": f"literal:{key or self.key}",
            "key_old": key_old and f"literal:{key_old}",
        }) + self.provider(client_secret=self.secret, **keys) + section(
            "route all", {"provider": "idp", "upstream": self.api.origin})

    def open(self, **keys):
        return self.stage.bearerd(self.config(**keys)).start()

    def wait_saved(self, before=b""):
        """Until the file is another one than before."""
        wait_until(lambda: self.path.exists() and self.path.read_bytes() != before, "a save")
        return self.path.read_bytes()

    def aside(self):
        return list(self.stage.folder.glob("tokens.damaged-*"))

    def assert_tells_nothing(self):
        for path in self.stage.folder.glob("tokens*"):
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # a save has just given it the other name
                continue
            for words in (self.stage.canary, self.named):
                leaks = words.leaks(content)
                assert not leaks, f"{path.name}: {leaks}"


@pytest.fixture
def shop(stage, provider, api, idp):
    shop = Shop(stage, provider, api, idp)
    yield shop
    shop.assert_tells_nothing()


def ask(bearerd):
    answer = bearerd.get("/x")
    assert answer.status == 200, answer
    return answer


def reopen(bearerd):
    """Starts it again, and waits until it has seen what the store has for it."""
    bearerd.start()
    bearerd.wait_log("token from the store")


def restart(bearerd):
    bearerd.stop()
    reopen(bearerd)


def times_away(*instances):
    """How often the store was too slow for somebody: on a busy machine that may be."""
    return sum(len(one.log_lines("token store", "is away")) for one in instances)


def test_a_restart_costs_no_token_request(shop, idp):
    bearerd = shop.open()
    ask(bearerd)
    for _ in range(3):
        restart(bearerd)
        ask(bearerd)
    assert idp.count == 1
    assert stat.S_IMODE(os.stat(shop.path).st_mode) == 0o600


def test_a_kill_costs_none_either(shop, idp):
    bearerd = shop.open()
    ask(bearerd)
    shop.wait_saved()
    bearerd.kill()
    reopen(bearerd)
    ask(bearerd)
    assert idp.count == 1


def test_an_expired_token_is_not_taken_from_the_store(shop, idp):
    idp.expires_in = 2
    bearerd = shop.open()
    ask(bearerd)
    bearerd.stop()
    wait_until(lambda: not idp.accepts(idp.issued[0]), "the token to expire")
    bearerd.start()
    ask(bearerd)
    assert idp.count == 2


def test_a_refused_token_is_not_taken_from_the_store_again(shop, idp):
    bearerd = shop.open()
    ask(bearerd)
    restart(bearerd)
    idp.revoke_all()
    ask(bearerd)
    assert idp.count == 2
    restart(bearerd)
    ask(bearerd)
    assert idp.count == 2


def test_other_credentials_are_another_entry(shop, idp):
    bearerd = shop.open()
    ask(bearerd)
    bearerd.stop()
    bearerd.write_config(shop.config(scope="other"))
    bearerd.start()
    ask(bearerd)
    assert idp.count == 2


def test_the_old_key_still_reads(shop, idp, canary):
    bearerd = shop.open()
    ask(bearerd)
    bearerd.stop()
    key = canary.secret("new-store-key", new_key())
    before = shop.path.read_bytes()
    bearerd.write_config(shop.config(key=key, key_old=shop.key))
    reopen(bearerd)
    ask(bearerd)
    shop.wait_saved(before)  # under the new key, so that the old one can go
    bearerd.stop()
    bearerd.write_config(shop.config(key=key))
    reopen(bearerd)
    ask(bearerd)
    assert idp.count == 1


def test_a_wrong_key_is_told_and_destroys_nothing(shop, idp, canary):
    bearerd = shop.open()
    ask(bearerd)
    bearerd.stop()
    bearerd.write_config(shop.config(key=canary.secret("wrong-store-key", new_key())))
    bearerd.start()
    bearerd.wait_log("warning", "can be opened with this key")
    ask(bearerd)
    assert idp.count == 2
    bearerd.stop()
    bearerd.write_config(shop.config())
    reopen(bearerd)
    ask(bearerd)
    assert idp.count == 2 and idp.accepts(idp.issued[0])


@pytest.mark.parametrize("damage", [
    lambda data: data[:-1], lambda data: data[:20], lambda data: b"\0" * len(data),
    lambda data: data[:70] + bytes([data[70] ^ 1]) + data[71:], lambda data: data + b"x",
], ids=["cut", "cut short", "zeros", "a bit", "more"])
def test_a_damaged_file_is_kept_aside(shop, idp, damage):
    bearerd = shop.open()
    ask(bearerd)
    bearerd.stop()
    damaged = damage(shop.path.read_bytes())
    shop.path.write_bytes(damaged)
    bearerd.start()
    bearerd.wait_log("warning", "is damaged", "tokens.damaged-")
    ask(bearerd)
    assert idp.count == 2
    assert [path.read_bytes() for path in shop.aside()] == [damaged]
    shop.wait_saved()
    restart(bearerd)
    ask(bearerd)
    assert idp.count == 2


def test_a_folder_that_is_not_there_is_told_and_no_failure(shop, idp, tmp_path):
    idp.expires_in = 1
    bearerd = shop.open(path=tmp_path / "missing" / "tokens")
    bearerd.wait_log("warning", "cannot save", "missing")
    with bearerd.client() as client:
        def renewed():
            assert client.get("/x").status == 200
            return idp.count > 4
        wait_until(renewed, "some tokens, and probes of the store")
    assert times_away(bearerd) == 1, "it is said once"
    assert not bearerd.log_lines("token store (file) is back")


def test_metrics_tell_of_the_store(shop, tmp_path):
    bearerd, broken = shop.open(), shop.open(path=tmp_path / "missing" / "tokens")
    ask(bearerd)
    ask(broken)
    assert bearerd.metric("bearerd_store_up", 'store="file"') == 1
    assert bearerd.metric("bearerd_store_questions_total", 'kind="save"') >= 1
    assert bearerd.metric("bearerd_store_questions_total", 'kind="lock"') >= 1
    wait_until(lambda: broken.metric("bearerd_store_failures_total") >= 1, "a failure to count")
    assert broken.metric("bearerd_store_up") == 0


def test_a_key_that_is_none_is_a_mistake(shop):
    for key in ("c2hvcnQ=", "no base64 at all"):
        result = shop.stage.bearerd(shop.config(key=key)).check()
        assert result.status == 78
        assert "[store] key: key is not 32 bytes in base64" in result.output
    text = shop.config()
    for line, word in ((f"file = {shop.path}\n", "file or redis is missing"),
                       (f"key = literal:{shop.key}\n", "key is missing")):
        assert word in shop.stage.bearerd(text.replace(line, "")).check().output


def test_a_change_of_the_store_takes_a_restart(shop, tmp_path):
    bearerd = shop.open()
    bearerd.write_config(shop.config(path=tmp_path / "elsewhere"))
    bearerd.signal(signal.SIGHUP)
    bearerd.wait_log("[store]: takes effect only after a restart")
    bearerd.wait_log("configuration reloaded")


def test_the_quota_counts_over_a_restart(shop, idp):
    idp.expires_in = 1
    bearerd = shop.open(token_quota="2/10m")
    for _ in range(2):
        wait_until(lambda: not idp.issued or not idp.accepts(idp.token), "the token to expire")
        ask(bearerd)
        bearerd.stop()
        bearerd.start()
    wait_until(lambda: not idp.accepts(idp.token), "the token to expire")
    wait_until(lambda: bearerd.get("/x").status == 503, "the quota to be used up")
    bearerd.wait_log("token_quota allows 2 requests")
    assert idp.count == 2


def test_a_stop_lasts_over_a_restart(shop, idp):
    """A crash loop must not lock the account."""
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    bearerd = shop.open(stop_after_refusals="1")
    assert bearerd.get("/x").problem()["code"] == "token_refused"
    shop.wait_saved()
    for _ in range(2):
        bearerd.stop()
        bearerd.start()
        bearerd.wait_log("no more attempts until")
        assert bearerd.get("/x").problem()["code"] == "token_refused"
    assert idp.count == 1
    idp.always(None)
    assert bearerd.admin("/providers/idp/refresh", "POST")[0] == 200
    ask(bearerd)


@pytest.mark.parametrize("count", [2, 3])
def test_300_cold_requests_cost_one_token_request(shop, idp, count):
    instances = [shop.open() for _ in range(count)]
    idp.hold()
    clients = [one.client() for one in instances for _ in range(300 // count)]
    for client in clients:
        client.send(client.head("GET", "/x"))
    idp.wait_requests(1)
    idp.release()
    for client in clients:
        assert client.read().status == 200
        client.close()
    assert idp.count <= 1 + times_away(*instances)


def test_ten_rotations_cost_about_ten(shop, idp):
    idp.expires_in = 2
    instances = [shop.open() for _ in range(3)]
    end = time.monotonic() + 10

    def hammer(number):
        with instances[number % 3].client() as client:
            while time.monotonic() < end:
                assert client.get("/x").status == 200
    in_parallel(6, hammer)
    lives = 10  # half of each life is the early window
    assert idp.count <= 1 + lives + 2 * times_away(*instances)
    assert len(set(idp.issued)) == idp.count


def test_an_instance_that_dies_while_it_fetches_holds_nobody_up(shop, idp):
    first, second = shop.open(), shop.open()
    idp.then(idp.hang())
    client = first.client()
    client.send(client.head("GET", "/x"))
    idp.wait_requests(1)
    waiting = second.client()
    waiting.send(waiting.head("GET", "/x"))
    first.kill()
    assert waiting.read().status == 200
    assert idp.count == 2


def test_rotating_refresh_tokens_survive_kills_at_any_moment(shop, stage, canary):
    """No old refresh token is sent, wherever the kill strikes: the grant is there for that."""
    first = canary.secret("first-refresh-token")
    idp = stage.add(RotatingIdp(canary, first, expires_in=1))
    shop.api.idp = idp
    bearerd = shop.open(idp=idp, refresh_token=f"literal:{first}")
    for _ in range(KILLS):
        seen = idp.count
        with bearerd.client() as client:
            def rotated():
                client.get("/x")
                return idp.count > seen
            wait_until(rotated, "the next rotation")
        bearerd.kill()
        bearerd.start()
    wait_until(lambda: bearerd.get("/x").status == 200, "an answer")
    assert not idp.reused
    assert "refresh_token" in idp.kinds


def test_without_a_grant_the_family_survives_kills(shop, stage, canary):
    """A token that was given out means that its refresh token is durable."""
    first = canary.secret("first-refresh-token")
    idp = stage.add(RotatingIdp(canary, first))
    shop.api.idp = idp
    bearerd = shop.open(idp=idp, refresh="only", refresh_token=f"literal:{first}")
    for _ in range(KILLS):
        assert bearerd.admin("/providers/idp/refresh", "POST")[0] == 200
        bearerd.kill()
        reopen(bearerd)
        ask(bearerd)
    assert not idp.reused
    assert idp.count == KILLS


def test_a_stop_waits_for_the_refresh_token_that_is_under_way(shop, stage, canary):
    first = canary.secret("first-refresh-token")
    idp = stage.add(RotatingIdp(canary, first))
    shop.api.idp = idp
    bearerd = shop.open(idp=idp, refresh="only", refresh_token=f"literal:{first}")
    ask(bearerd)
    idp.hold()
    order = threading.Thread(target=bearerd.admin, args=("/providers/idp/refresh", "POST"))
    order.start()
    idp.wait_requests(2)
    bearerd.signal(signal.SIGTERM)
    with pytest.raises(AssertionError, match="still runs"):
        bearerd.wait_exit(1)
    idp.release()
    order.join()
    assert bearerd.wait_exit() == 0
    reopen(bearerd)
    assert bearerd.admin("/providers/idp/refresh", "POST")[0] == 200
    assert idp.count == 3 and not idp.reused


def test_what_is_no_file_is_told_and_stays(shop, idp):
    target = shop.stage.folder / "elsewhere"
    target.write_text("theirs")
    shop.path.symlink_to(target)
    bearerd = shop.open()
    bearerd.wait_log("warning", "is no regular file")
    ask(bearerd)
    assert idp.count == 1
    assert shop.path.is_symlink() and target.read_text() == "theirs"


def test_instances_share_a_chain(shop, stage, canary):
    first = canary.secret("first-refresh-token")
    idp = stage.add(RotatingIdp(canary, first, expires_in=2))
    shop.api.idp = idp
    instances = [shop.open(idp=idp, refresh="only", refresh_token=f"literal:{first}")
                 for _ in range(3)]
    end = time.monotonic() + 8

    def hammer(number):
        with instances[number].client() as client:
            while time.monotonic() < end:
                assert client.get("/x").status == 200
    in_parallel(3, hammer)
    if not times_away(*instances):
        assert not idp.reused
    assert len(idp.sent) >= 4
