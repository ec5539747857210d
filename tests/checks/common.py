"""What the checks share: the files of the source tree, and a report of file:line messages."""

import pathlib
import re
import sys

SKIPPED = {".git", "build", "__pycache__", ".pytest_cache", ".cache", ".mirror"}


class Check:
    """One check over a source tree; its messages decide the exit status."""

    def __init__(self):
        self.root = pathlib.Path(sys.argv[1]).resolve()
        self.binary = sys.argv[2] if len(sys.argv) > 2 else None
        self.messages = []

    def complain(self, path, line, text):
        path = pathlib.Path(path)
        name = path.relative_to(self.root) if path.is_absolute() else path
        self.messages.append(f"{name}:{line}: {text}")

    def files(self, *patterns, under=("",)):
        """Files below the named folders whose names match one of the patterns, in order."""
        for folder in under:
            base = self.root / folder
            for path in sorted(base.rglob("*")):
                if path.is_file() and not SKIPPED & set(path.relative_to(self.root).parts) \
                        and any(path.match(pattern) for pattern in patterns):
                    yield path

    def c_files(self, *folders):
        return list(self.files("*.c", "*.h", under=folders))

    def finish(self, summary):
        """Ends the check: the messages and 1, or the summary and 0."""
        for message in self.messages:
            print(message)
        if not self.messages:
            print(summary)
        sys.exit(1 if self.messages else 0)


COMMENT_OR_TEXT = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(source):
    """C source with comments and literals blanked, line numbers kept."""
    def blank(match):
        return '""' if match[0].startswith('"') else re.sub(r"[^\n]", " ", match[0])
    return COMMENT_OR_TEXT.sub(blank, source)


def line_of(source, offset):
    return source.count("\n", 0, offset) + 1
