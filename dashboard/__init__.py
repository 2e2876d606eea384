"""What people see: the Django project and its pages."""
