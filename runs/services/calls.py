"""What our calls say about themselves, and how they ended: for the provider's log and for our own count."""

from runs.trace import work

VERSION = "0.1.0"


def user_agent() -> str:
    """Who calls, and for which of our requests or turns, so that both sides' logs can be laid beside each other."""
    number = work().id
    return f"Plimsoll/{VERSION} (request {number})" if number else f"Plimsoll/{VERSION}"
