"""Who may see a page."""

from django.contrib.auth.decorators import permission_required

viewers = permission_required("runs.view_run", raise_exception=True)
