"""Which page is at which address, grouped by the object it acts on."""

from django.urls import path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/runs/"), name="home"),
]
