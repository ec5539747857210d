"""Every secret that a test uses is registered here; afterwards all logs are searched for it."""

import base64
import secrets
import urllib.parse


class Canary:
    """Knows the secrets of one test, and finds them in plain, base64 or percent-encoded form."""

    SHORTEST = 8  # shorter texts turn up by chance

    def __init__(self):
        self._secrets = {}

    def secret(self, label, text=None):
        """Registers a secret (made up unless given) and returns its text."""
        if text is None:
            text = f"{label}-{secrets.token_hex(12)}"
        if len(text) >= self.SHORTEST:
            self._secrets[text] = label
        return text

    @classmethod
    def also(cls, *texts):
        """For a search for what is no secret, but must not be readable everywhere."""
        other = cls()
        for text in texts:
            other.secret(text, text)
        return other

    @staticmethod
    def forms(text):
        """All spellings of a secret that count as a leak, as bytes."""
        raw = text.encode()
        forms = {raw}
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            for shift in range(3):
                encoded = encode(b"\0" * shift + raw)
                # The first and last characters depend on the neighbours: only the middle is ours.
                forms.add(encoded[(0, 2, 3)[shift]:(len(raw) + shift) * 4 // 3])
        for quoted in (urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text),
                       urllib.parse.quote(text, safe="/:")):
            forms.add(quoted.encode())
            forms.add(quoted.lower().encode() if "%" in quoted else quoted.encode())
        return {form for form in forms if len(form) >= Canary.SHORTEST}

    def leaks(self, blob):
        """Labels of the secrets found in blob (bytes), with the form they were found in."""
        found = []
        for text, label in self._secrets.items():
            for form in self.forms(text):
                if form in blob:
                    line = next(one for one in blob.split(b"\n") if form in one)
                    found.append(f"{label} as {form!r} in: {line[:300]!r}")
        return found
