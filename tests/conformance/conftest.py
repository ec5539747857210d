"""Makes the actors and their fixtures known to the tests of this folder."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from actors.fixtures import *  # noqa: E402,F401,F403
