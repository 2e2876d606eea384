"""PostgreSQL sorts and compares texts by character code, as SQLite does, whatever language the database was made for.

So a list is in the same order everywhere, its pages neither repeat nor skip a row, and an index does not depend on the
system's language files, which change between releases.
"""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, TextField
from django.db.models.lookups import IContains, IExact

_OURS = ("runs", "dashboard")  # whose columns `sort_by_character_code` has changed
_FOREIGN = """
    SELECT attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)
    FROM pg_attribute AS attribute
    WHERE attribute.attrelid = to_regclass(%s) AND attribute.attnum > 0 AND NOT attribute.attisdropped
        AND attribute.attcollation NOT IN (0, 'pg_catalog."C"'::regcollation)
"""


def sort_by_character_code(sender: AppConfig, using: str, **_: Any) -> None:
    """After each migration: every text column of this application's tables, those of later migrations too."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for model in sender.get_models(include_auto_created=True):
            table = quote(model._meta.db_table)
            cursor.execute(_FOREIGN, [table])
            columns = [f'ALTER COLUMN {quote(name)} TYPE {kind} COLLATE "C"' for name, kind in cursor.fetchall()]
            if columns:
                cursor.execute(f"ALTER TABLE {table} {', '.join(columns)}")


class _AsStored:
    """Changes what is looked for to capitals by the column's own rules: by the database's, "ß" or "á" would differ."""

    def get_rhs_op(self, connection: BaseDatabaseWrapper, rhs: str) -> str:
        sql = super().get_rhs_op(connection, rhs)
        model = getattr(getattr(self.lhs, "target", None), "model", None)
        if connection.vendor != "postgresql" or model is None or model._meta.app_label not in _OURS:
            return sql
        return sql.replace(f"UPPER({rhs})", f'UPPER({rhs} COLLATE "C")')


class _IExact(_AsStored, IExact):
    pass


class _IContains(_AsStored, IContains):
    pass


def find_by_character_code() -> None:
    """Let a search that does not mind capitals find what is stored, on PostgreSQL too."""
    for field in (CharField, TextField):
        for lookup in (_IExact, _IContains):
            field.register_lookup(lookup)
