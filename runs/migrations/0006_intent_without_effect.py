from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0005_control_known_up_to"),
    ]

    operations = [
        migrations.AlterField(
            model_name="controlintent",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("open", "Not sent yet"),
                    ("sent", "Sent, no answer yet"),
                    ("accepted", "Accepted, not confirmed yet"),
                    ("created", "Created, not queued"),
                    ("done", "Done"),
                    ("refused", "Refused"),
                    ("not_started", "Not started"),
                    ("cannot_tell", "Cannot tell"),
                    ("left", "Left as it is"),
                    ("no_effect", "No effect"),
                ],
                default="open",
                max_length=12,
            ),
        ),
    ]
