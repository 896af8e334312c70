"""Why a request is not answered as asked: an error with its HTTP status."""

from __future__ import annotations

from collections.abc import Mapping

from sapiens.errors import InputError, NumericError, SapiensError, WeightsError


class RefusedError(InputError):
    """A request that is refused.

    Args:
        status: of the answer.
        message, hint: as in `SapiensError`.
        headers: further headers of the answer.
    """

    def __init__(
        self, status: int, message: str, hint: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.headers = dict(headers or {})


class ClientGoneError(SapiensError):
    """The client closed its connection; there is nobody to answer."""


def status_of(error: SapiensError) -> int:
    """HTTP status that says whose fault an error is: 4xx the request's, 5xx the server's."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, NumericError):
        return 500
    return 503 if isinstance(error, WeightsError) else 400
