"""Providers -> tables: one turn over an account, and what it is made of.

passes.py    the turn itself            lease.py     who may write, and until when
mirror.py    records -> rows            details.py   what hangs below a run
settle.py    starts and stops whose end is not known yet
schedule.py  when an account is due again
catalogue.py  schedules, limits and the like
forgotten.py  runs of which their provider knows nothing any more
lost_starts.py  which run a start without an answer made
start_again.py  starts that may be sent again, under the same key
wishes.py    what a start asks of the provider
"""

from .lease import CLOCK_WRONG, free_leases_of_the_dead, is_due, owner_name
from .passes import TURN_S, PassReport, request_sync, sync_account
from .settle import link_run, settle_unsent
from .wishes import wish_of

__all__ = [
    "CLOCK_WRONG",
    "TURN_S",
    "PassReport",
    "free_leases_of_the_dead",
    "is_due",
    "link_run",
    "owner_name",
    "request_sync",
    "settle_unsent",
    "sync_account",
    "wish_of",
]
