"""The time that a program sees, moved by libfaketime; the kernel's timers go on as they do."""

import glob
import os

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


class Clock:
    """`environment` is for the program; advance() makes it later there."""

    def __init__(self, folder):
        self.path, self.seconds = folder / "clock", 0
        self.advance(0)
        sanitizer = os.environ.get("ASAN_OPTIONS", "")
        self.environment = {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "ASAN_OPTIONS": f"{sanitizer}:verify_asan_link_order=0",
        }

    def advance(self, seconds):
        self.seconds += seconds
        new = self.path.with_suffix(".new")
        new.write_text(f"+{self.seconds}\n")
        new.replace(self.path)
