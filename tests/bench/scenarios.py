"""What is measured: one row per scenario. Rows are independent; a new one needs nothing else."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
SMALL_BYTES = 1083  # the JSON of the small answer, PERFORMANCE.md's size
LARGE_BYTES = 10 * MIB
POST_BYTES = KIB


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    clients: int
    path: str = "/api/small"
    method: str = "GET"
    body_bytes: int = 0
    answer_bytes: int = SMALL_BYTES
    tls: bool = False  # to the upstream
    tls_in: bool = False  # from the clients
    parked: int = 0  # clients beside these whose requests take two seconds
    idle: int = 0  # no load: so many client connections that are kept and say nothing
    reconnects: bool = False  # the upstream ends each connection: TLS sessions must be resumed
    rotating: bool = False  # token requests must be seen
    shared: bool = False  # the proxies may use both cores, as the load does
    systems: tuple[str, ...] = ()  # instead of the usual ones
    stretch: int = 1  # rounds are so many times as long as usual


def _get(clients: int) -> Scenario:
    return Scenario(f"get-{clients}", f"GET 1 KiB, {clients} client{'s' * (clients > 1)}", clients)


def _post(clients: int, tls: bool = False) -> Scenario:
    return Scenario(f"{'tls-' if tls else ''}post-{clients}",
                    f"POST 1 KiB{' over TLS to the upstream' if tls else ''}, {clients} clients",
                    clients, path="/api/post", method="POST", body_bytes=POST_BYTES, tls=tls)


def _tls(clients: int) -> Scenario:
    return Scenario(f"tls-{clients}", f"GET 1 KiB over TLS to the upstream, {clients} clients",
                    clients, tls=True)


def _download(clients: int) -> Scenario:
    return Scenario(f"download-{clients}", f"GET 10 MiB, {clients} client{'s' * (clients > 1)}", clients,
                    path="/api/large", answer_bytes=LARGE_BYTES)


def _slow(ms: int, clients: int) -> Scenario:
    return Scenario(f"slow-{ms}-{clients}",
                    f"GET 1 KiB, an upstream that takes {ms} ms, {clients} clients", clients, path=f"/api/slow-{ms}")


SCENARIOS = {s.name: s for s in (
    _get(1), _get(32), _get(256), _post(32), _post(256),
    _tls(32), _tls(256), _post(32, tls=True), _post(256, tls=True),
    Scenario("tls-in-32", "GET 1 KiB, 32 clients that speak TLS to the proxy", 32, tls_in=True),
    Scenario("tls-connect", "GET 1 KiB, each over a new TLS connection to the upstream, 8 clients",
             8, path="/api/close", tls=True, reconnects=True),
    _download(1), _download(16),
    _slow(2, 256), _slow(20, 32), _slow(20, 256),
    Scenario("parked", "GET 1 KiB, 32 clients, beside 500 requests that take two seconds", 32,
             parked=500),
    Scenario("idle", "5,000 idle client connections", 1, idle=5000),
    Scenario("rotation", "GET 1 KiB, 32 clients, while tokens of 2 s change", 32, rotating=True,
             systems=("bearerd", "bearerd-rotating"), stretch=3),
    Scenario("workers", "GET 1 KiB, 64 clients, one worker and two, on the cores of the load", 64, shared=True,
             systems=("bearerd", "bearerd-2-workers", "nginx", "nginx-2-workers", "haproxy", "haproxy-2-threads")),
    Scenario("lua", "GET 1 KiB, 32 clients, beside nginx that gets its token by Lua", 32,
             systems=("bearerd", "nginx-lua")),
)}
