"""Waiting for a condition, never for a fixed time."""

import time


def wait_until(condition, what, timeout=10.0):
    """Polls condition() until it is true and returns its value; fails with `what` after timeout."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for: {what}")
        time.sleep(0.005)
