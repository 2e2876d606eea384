"""Providers -> tables: one pass over an account, and what it is made of.

passes.py   the pass itself          lease.py    who may write, and until when
mirror.py   records -> rows          details.py  what hangs below a run
settle.py   starts and stops whose end is not known yet
"""

from .passes import PassReport, request_sync, sync_account
from .settle import link_run

__all__ = ["PassReport", "link_run", "request_sync", "sync_account"]
