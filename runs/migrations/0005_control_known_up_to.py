from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0004_engine_and_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="controlintent",
            name="known_up_to",
            field=models.BigIntegerField(default=0),
        ),
    ]
