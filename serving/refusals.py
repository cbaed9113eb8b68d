"""A request that is not answered: its HTTP status, a short stable code, and a message that says what to do."""

import math

from pydantic import BaseModel


class Problem(BaseModel):
    """What a refused request gets instead of an answer."""

    code: str
    error: str


class Refusal(Exception):
    """A request that is refused. The message holds no text of the request.

    Args:
        status: HTTP status.
        code: short stable name for programs, e.g. ``queue_full``.
        message: what is wrong and what to do.
        retry_after: seconds after which it may work, for 429 and 503.
        headers: further headers of the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(code=code, error=message)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
