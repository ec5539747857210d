"""The actors of the end-to-end tests: each is a class with verbs, so that a test reads as prose."""

from .between import Between
from .bearerd import Bearerd, CliResult, section
from .canary import Canary
from .client import Client, in_parallel
from .fleet import AWAY, BACK, Fleet, Load, store_key
from .idp import MISSING, Idp
from .redis import Redis, Sentinel
from .rotating import RotatingIdp
from .server import Server
from .tls import Tls
from .upstream import EchoApi, Upstream, refusing_the_first_token, replying
from . import wire
from .waiting import wait_until
from .wire import Fields, Malformed, Truncated

__all__ = [
    "AWAY", "BACK", "Between", "Fleet", "Load", "store_key",
    "Bearerd", "Canary", "CliResult", "Client", "EchoApi", "Fields", "Idp", "MISSING", "Malformed",
    "Redis", "RotatingIdp", "Sentinel", "Server", "Tls", "Truncated", "Upstream", "in_parallel",
    "refusing_the_first_token", "replying", "section", "wait_until", "wire",
]
