"""The three roles as groups: viewer, operator (starts and stops), admin (accounts and people as well)."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = {
    "viewer": ["runs.view_run"],
    "operator": ["runs.view_run", "runs.control_run"],
    "admin": ["runs.view_run", "runs.control_run", "runs.manage_accounts", "auth.change_user", "auth.add_user"],
}


def make_roles(apps, schema_editor):
    # Permissions are made after all migrations; groups that hold them need them now.
    for label in ("runs", "auth"):
        create_permissions(installed.get_app_config(label), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for role, names in ROLES.items():
        group, _ = groups.get_or_create(name=role)
        for name in names:
            label, codename = name.split(".")
            group.permissions.add(permissions.get(content_type__app_label=label, codename=codename))


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0001_first"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
