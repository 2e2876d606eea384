"""Every provider: a full sync, a start and a stop in a browser, its errors, and the suite of all services, in a table.

Smaller by TRUST_RUNS.
"""

from collections.abc import Iterator

import pytest

from runs.sandbox.models import SPOKEN
from runs.services import SERVICES
from tests.real_locust import real_locust
from tests.trust.control import Hosted, Local, prove_control
from tests.trust.providers import Proof, prove_contract, prove_sync, table

pytestmark = pytest.mark.trust


@pytest.fixture(scope="module")
def proofs() -> Iterator[dict[str, Proof]]:
    proofs = {provider: Proof(provider) for provider in SERVICES}
    yield proofs
    print(f"\n{table(list(proofs.values()))}")


@pytest.mark.django_db
@pytest.mark.parametrize("provider", SPOKEN)
def test_a_full_sync_and_a_later_one_equal_the_truth(proofs, provider):
    prove_sync(proofs[provider])


@pytest.mark.parametrize("provider", SPOKEN)
def test_a_run_is_started_watched_and_stopped_in_a_browser(proofs, operator, world, provider):
    prove_control(proofs[provider], operator, Hosted(world, provider))


def test_a_real_locust_is_started_watched_and_stopped_in_a_browser(proofs, operator, world):
    with real_locust() as url, world.load_account(url) as load_test:
        prove_control(proofs["locust"], operator, Local(world, url, load_test))


@pytest.mark.parametrize("provider", list(SERVICES))
def test_the_suite_of_every_service_passes(proofs, provider):
    prove_contract(proofs[provider])
