"""What a start asks of the provider: the same each time it is made of its intent, so that it may be sent again."""

from runs.models import ControlIntent
from runs.services.base import StartWish


def wish_of(intent: ControlIntent) -> StartWish:
    return StartWish(
        test_external_id=intent.load_test.external_id if intent.load_test else "", test_name=intent.test_name,
        values=intent.values, token=str(intent.token), rerun_of=intent.rerun_of,
    )  # fmt: skip
