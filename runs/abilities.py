"""What can be asked of an account: by what its provider's service declares, and whether there is a provider to ask."""

from runs.models import Account
from runs.services import SERVICES
from runs.services.base import Capability

# As it goes on after "no way to".
WORDS = {
    Capability.START: "start runs",
    Capability.STOP: "stop runs",
    Capability.ARCHIVE: "download the results of a run",
    Capability.FILES: "download files of a run",
    Capability.SCRIPT: "read scripts",
    Capability.NOTE: "change the note of a run",
    Capability.STAR: "mark a run with a star",
    Capability.SCHEDULES: "switch schedules",
    Capability.ESTIMATE: "work out what a start costs",
    Capability.FACTS: "read limits",
    Capability.RERUN: "start a run again as it was",
    Capability.OWN_THRESHOLDS: "judge runs by thresholds of ours",
}


def can(account: Account, capability: Capability) -> bool:
    """Whether this is possible at all; whether a person may do it is asked in `runs.actions`."""
    service = SERVICES.get(account.provider)
    return not account.archive and service is not None and capability in service.capabilities


def cannot(account: Account, capability: Capability) -> str:
    """Why this is not possible, as a sentence; "" where it is."""
    if can(account, capability):
        return ""
    if account.archive:
        return f"{account.name} is an archive: its runs came from a file, and there is no provider to ask."
    return f"{label_of(account)} offers Plimsoll no way to {WORDS[capability]}."


def label_of(account: Account) -> str:
    """The provider's name; an archive may be of one that is not known here."""
    return SERVICES[account.provider].label if account.provider in SERVICES else account.provider
