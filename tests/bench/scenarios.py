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
    tls: bool = False


def _get(clients: int) -> Scenario:
    return Scenario(f"get-{clients}", f"GET 1 KiB, {clients} client(s)", clients)


def _tls(clients: int) -> Scenario:
    return Scenario(f"tls-{clients}", f"GET 1 KiB over TLS to the upstream, {clients} clients",
                    clients, tls=True)


def _download(clients: int) -> Scenario:
    return Scenario(f"download-{clients}", f"GET 10 MiB, {clients} client(s)", clients,
                    path="/api/large", answer_bytes=LARGE_BYTES)


SCENARIOS = {s.name: s for s in (
    _get(1), _get(32), _get(256),
    Scenario("post-32", "POST 1 KiB, 32 clients", 32, path="/api/post", method="POST",
             body_bytes=POST_BYTES),
    _tls(32), _tls(256),
    _download(1), _download(16),
)}
