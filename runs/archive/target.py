"""The account that takes an archive's runs in."""

from runs.accounts import AccountProblem, create_archive
from runs.models import Account
from runs.services import SERVICES

from . import ArchiveProblem
from .report import Report


def into(account: Account | None, provider: str, name: str, base_url: str = "") -> Report:
    """An empty report on the account that takes the runs in; ArchiveProblem when there is none."""
    label = SERVICES[provider].label
    if account is not None:
        if account.provider != provider:
            raise ArchiveProblem(
                f"{account.name} is no account of {label}, of which these runs are. Choose another.", "into"
            )
        return Report(account)
    found = Account.objects.filter(name__iexact=name.strip()).first()
    if found is None:
        try:
            return Report(create_archive(provider=provider, name=name, base_url=base_url), new_account=True)
        except AccountProblem as problem:
            raise ArchiveProblem(str(problem), "name") from None
    if found.archive and found.provider == provider:
        return Report(found)
    raise ArchiveProblem(
        f"There is an account “{found.name}” already. To add these runs to it, choose it; to keep them apart, give "
        "the archive another name.",
        "name",
    )
