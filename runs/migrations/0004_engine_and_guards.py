import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


def tell_history_from_fresh_runs(apps, schema_editor):
    """Who has a cursor has read the whole history; a first pass that was under way begins anew, newest runs first."""
    states = apps.get_model("runs", "SyncState").objects.using(schema_editor.connection.alias)
    states.exclude(cursor=None).update(history_at=models.F("cursor"))
    states.filter(cursor=None).update(resume={})


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0003_sync_interval"),
    ]

    operations = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True)),
                ("kind", models.CharField(max_length=20)),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="account",
            name="max_running",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="controlintent",
            name="override_reason",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="syncstate",
            name="backlog",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="syncstate",
            name="history",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="syncstate",
            name="history_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="syncstate",
            name="queued_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Target",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                (
                    "max_running",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        default=1,
                        help_text="Runs against it at the same time, over all accounts.",
                        null=True,
                    ),
                ),
                ("protected", models.BooleanField(default=False, help_text="A start needs its name typed.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("name",),
                "constraints": [
                    models.UniqueConstraint(django.db.models.functions.text.Lower("name"), name="one_target_per_name")
                ],
            },
        ),
        migrations.AddField(
            model_name="loadtest",
            name="target",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="load_tests",
                to="runs.target",
            ),
        ),
        migrations.CreateModel(
            name="ProviderCalls",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=5)),
                ("outcome", models.CharField(max_length=20)),
                ("calls", models.BigIntegerField(default=0)),
                ("seconds", models.FloatField(default=0)),
                ("upto_100ms", models.BigIntegerField(default=0)),
                ("upto_300ms", models.BigIntegerField(default=0)),
                ("upto_1s", models.BigIntegerField(default=0)),
                ("upto_3s", models.BigIntegerField(default=0)),
                ("upto_10s", models.BigIntegerField(default=0)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="calls", to="runs.account"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "kind", "outcome"), name="one_row_per_call_outcome")
                ],
            },
        ),
        migrations.CreateModel(
            name="FreezeWindow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="Why nothing may be started; people read it.", max_length=100)),
                ("weekly", models.BooleanField(default=False)),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("weekdays", models.JSONField(blank=True, default=list)),
                ("from_time", models.TimeField(blank=True, null=True)),
                ("to_time", models.TimeField(blank=True, null=True)),
                ("time_zone", models.CharField(default="UTC", max_length=64)),
                ("enabled", models.BooleanField(default=True)),
                ("created_by", models.CharField(blank=True, max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="freeze_windows",
                        to="runs.account",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="freeze_windows",
                        to="runs.target",
                    ),
                ),
            ],
            options={
                "ordering": ("name", "id"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("from_time__isnull", False), ("to_time__isnull", False), ("weekly", True)),
                            models.Q(("ends_at__isnull", False), ("starts_at__isnull", False), ("weekly", False)),
                            _connector="OR",
                        ),
                        name="freeze_window_has_its_times",
                    )
                ],
            },
        ),
        migrations.RunPython(tell_history_from_fresh_runs, migrations.RunPython.noop),
    ]
