from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0001_preferences"),
    ]

    operations = [
        migrations.AddField(
            model_name="preference",
            name="shortcuts",
            field=models.BooleanField(default=True),
        ),
    ]
