"""A token endpoint whose refresh tokens are good for one use."""

from .idp import Idp


class RotatingIdp(Idp):
    """
    Rotates with each refresh, and takes an old refresh token for theft: its family is revoked. A
    grant begins another family, and leaves those alone that there are.
    """

    def __init__(self, canary, first=None, **options):
        super().__init__(canary, refresh_tokens=True, **options)
        self.families = {first: [first]}  # by the token that is good now
        self.reused = []
        self.sent = []

    def serve(self, sock, number):
        self.always(self.by_rotation)
        super().serve(sock, number)

    def by_rotation(self, stream, request):
        form = dict(self.requests[-1].form)
        if form["grant_type"] == "refresh_token":
            self.sent.append(form["refresh_token"])
            family = self.families.pop(form["refresh_token"], None)
            if family is None:
                self.reused.append(form["refresh_token"])
                self.revoke_family(form["refresh_token"])
                return self.answer(400, {"error": "invalid_grant"})(stream, request)
        else:
            family = []
        answer = self.new_token()
        self.families[answer["refresh_token"]] = family + [answer["refresh_token"]]
        return self.send_json(stream, 200, answer)

    def revoke_family(self, member):
        self.families = {now: all_of_it for now, all_of_it in self.families.items()
                         if member not in all_of_it}

    def lose_the_answer(self):
        """A behaviour: the rotation takes place, and nobody hears of it."""
        def behave(stream, request):
            sent = dict(self.requests[-1].form).get("refresh_token")
            lost = self.canary.secret("lost-refresh-token")
            self.families[lost] = self.families.pop(sent, []) + [lost]
            stream.reset_now()
            return False
        return behave

    @property
    def kinds(self):
        return [dict(request.form)["grant_type"] for request in self.requests]
