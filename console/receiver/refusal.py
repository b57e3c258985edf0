"""Why a webhook is not taken, in words for whoever sent it: they are short, and tell no secret."""

from http import HTTPStatus

from starlette.responses import PlainTextResponse


class RefusedError(Exception):
    """Nothing was stored."""

    def __init__(self, status: HTTPStatus, words: str, **headers: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self) -> PlainTextResponse:
        return PlainTextResponse(f"{self.words}\n", self.status, self.headers)
