"""What can go wrong with a provider, by what helps: the only errors a service raises."""


class ServiceError(Exception):
    """A sentence that may be shown to a person: who, what happened, what to do. Holds no token and no URL query."""

    # True when a write may have reached the provider although we have no answer: it must never be sent again.
    maybe_done = False

    def __init__(self, sentence: str, *, maybe_done: bool = False):
        super().__init__(sentence)
        self.maybe_done = maybe_done


class Unavailable(ServiceError):
    """Try later: no connection, no answer in time, 429 or 5xx. `retry_after` is in seconds, None when not said."""

    def __init__(self, sentence: str, *, retry_after: float | None = None, maybe_done: bool = False):
        super().__init__(sentence, maybe_done=maybe_done)
        self.retry_after = retry_after


class Refused(ServiceError):
    """Change something first: the provider said no (400, 409, a limit)."""


class Unauthorized(Refused):
    """The provider does not accept the credentials (401) or does not allow this with them (403)."""


class Forbidden(Unauthorized):
    """The credentials are good, but not for this (403)."""


class NotFound(ServiceError):
    """Let it go: the provider does not have it (any more)."""


class UnexpectedAnswer(ServiceError):
    """Change our code: the answer was not in the documented shape."""
