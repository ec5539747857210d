"""The actors of the end-to-end tests: each is a class with verbs, so that a test reads as prose."""

from .bearerd import Bearerd, CliResult, section
from .canary import Canary
from .client import Client, in_parallel
from .idp import MISSING, Idp
from .rotating import RotatingIdp
from .server import Server
from .tls import Tls
from .upstream import EchoApi, Upstream, replying
from . import wire
from .waiting import wait_until
from .wire import Fields, Malformed, Truncated

__all__ = [
    "Bearerd", "Canary", "CliResult", "Client", "EchoApi", "Fields", "Idp", "MISSING", "Malformed",
    "RotatingIdp", "Server", "Tls", "Truncated", "Upstream", "in_parallel", "replying", "section",
    "wait_until", "wire",
]
