"""Every input goes through a form."""
