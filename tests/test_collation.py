"""Texts are found alike on every database, whatever language it was made for."""

import pytest

from runs.models import LoadTest, Person
from tests.rows import make_account, make_test

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("typed", ["Größe XL", "größe xl", "GRößE xl"])
def test_a_name_is_found_whatever_its_plain_letters_capitals(typed):
    make_test(make_account(), name="Zahlung über Nacht – Größe XL")
    assert LoadTest.objects.matching(typed).count() == 1
    assert LoadTest.objects.filter(name__iexact="zahlung über nacht – größe xl").count() == 1


def test_a_requester_is_found_by_a_name_with_letters_of_any_language():
    for key, name in enumerate(("Tomás Ferreira", "Jürgen Weiß", "Łukasz")):
        Person.objects.create(account=make_account(name), key=str(key), display=name)
    assert {person.display for person in Person.objects.named(["tomás FERREIRA", "jürgen weiß"])} == {
        "Tomás Ferreira",
        "Jürgen Weiß",
    }
