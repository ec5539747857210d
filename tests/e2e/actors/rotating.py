"""A token endpoint whose refresh tokens are good for one use."""

from .idp import Idp


class RotatingIdp(Idp):
    """Rotates with each refresh, and takes an old refresh token for theft: the family is revoked."""

    def __init__(self, canary, first=None, **options):
        super().__init__(canary, refresh_tokens=True, **options)
        self.current = first
        self.reused = []
        self.sent = []

    def serve(self, sock, number):
        self.always(self.by_rotation)
        super().serve(sock, number)

    def by_rotation(self, stream, request):
        form = dict(self.requests[-1].form)
        if form["grant_type"] == "refresh_token":
            self.sent.append(form["refresh_token"])
            if form["refresh_token"] != self.current:
                self.reused.append(form["refresh_token"])
                self.current = None
                return self.answer(400, {"error": "invalid_grant"})(stream, request)
        answer = self.new_token()
        self.current = answer["refresh_token"]
        return self.send_json(stream, 200, answer)

    def lose_the_answer(self):
        """A behaviour: the rotation takes place, and nobody hears of it."""
        def behave(stream, request):
            self.current = self.canary.secret("lost-refresh-token")
            stream.reset_now()
            return False
        return behave

    @property
    def kinds(self):
        return [dict(request.form)["grant_type"] for request in self.requests]
