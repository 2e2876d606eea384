from django.apps import AppConfig
from django.db.models.signals import post_migrate

from runs.collation import find_by_character_code, sort_by_character_code


class RunsConfig(AppConfig):
    name = "runs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(sort_by_character_code)
        find_by_character_code()
