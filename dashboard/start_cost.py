"""What a start would cost, for its dialog. The provider works it out when asked, and no start waits for it."""

from dataclasses import dataclass

from django.contrib.auth.models import User

from dashboard.control_forms import StartForm
from dashboard.words import vu_hours
from runs.abilities import label_of
from runs.actions import NotAllowed
from runs.models import Account, LoadTest
from runs.more_actions import estimate_start
from runs.services.base import ServiceError


@dataclass(frozen=True, slots=True)
class Cost:
    """`text`: "267 VU hours", or "" where it is not known; `why` says then why not."""

    text: str = ""
    why: str = ""


def cost_of(user: User, account: Account, load_test: LoadTest | None, form: StartForm, rerun_of: str = "") -> Cost:
    """Asks the provider. `form` holds what was typed, complete or not."""
    form.full_clean()
    if any(key in form.errors for key in form.keys):
        return Cost(why="fill in the settings below first.")
    try:
        hours = estimate_start(user=user, account=account, load_test=load_test, values=form.values(), rerun_of=rerun_of)
    except (ServiceError, NotAllowed) as problem:
        return Cost(why=str(problem))
    if hours is None:
        return Cost(why=f"{label_of(account)} cannot tell.")
    return Cost(vu_hours(hours))
