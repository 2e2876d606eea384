from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0002_roles"),
    ]

    operations = [
        migrations.AddField(
            model_name="account",
            name="sync_interval_s",
            field=models.PositiveIntegerField(
                choices=[
                    (60, "every minute"),
                    (300, "every 5 minutes"),
                    (900, "every 15 minutes"),
                    (3600, "every hour"),
                    (21600, "every 6 hours"),
                    (86400, "once a day"),
                ],
                default=60,
            ),
        ),
    ]
