"""The columns of the run list: which there are, and which somebody sees."""

from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.models import Preference
from runs.listing import SORTS


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the run list. `classes` say which window it needs; `fixed` ones are always shown."""

    key: str
    label: str
    classes: str = ""
    usual: bool = True
    fixed: bool = False

    @property
    def sorts(self) -> bool:
        return self.key in SORTS


COLUMNS = (
    Column("status", "Status", fixed=True),
    Column("result", "Result"),
    Column("test", "Test", fixed=True),
    Column("account", "Account"),
    Column("provider", "Provider", "col-wide", usual=False),
    Column("requested_by", "Requested by", "col-mid"),
    Column("started", "Started"),
    Column("ended", "Ended", "col-wide", usual=False),
    Column("duration", "Duration", "col-duration"),
    Column("vus", "VUs", "num col-wide"),
    Column("p95", "p95", "num"),
    Column("errors", "Errors", "num col-mid"),
    Column("provider_status", "Provider's status", "col-wide", usual=False),
    Column("id", "Run id", "col-wide", usual=False),
    Column("strip", "Last 10 runs", "col-wide"),
)
KEYS = tuple(column.key for column in COLUMNS)
USUAL = tuple(column.key for column in COLUMNS if column.usual)
OPTIONAL = tuple((column.key, column.label) for column in COLUMNS if not column.fixed)


def ordered(keys: Iterable[str]) -> tuple[str, ...]:
    """Those keys that name a column, and the fixed ones, in the order of the table."""
    wanted = set(keys)
    return tuple(column.key for column in COLUMNS if column.fixed or column.key in wanted)


def shown(address_keys: Iterable[str], preference: Preference) -> tuple[str, ...]:
    """What to show: the columns of the address, else those the person chose, else the usual ones."""
    chosen = tuple(address_keys) or tuple(key for key in preference.columns.split(",") if key)
    return ordered(chosen or USUAL)


def remembered(keys: Iterable[str]) -> str:
    """How a choice is stored in `Preference.columns`; "" for the usual columns, so that these may change."""
    chosen = ordered(keys)
    return "" if chosen == USUAL else ",".join(chosen)
