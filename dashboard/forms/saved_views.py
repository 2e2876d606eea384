"""Forms about saved views, about the one a person begins with, and about what is marked as seen."""

from django import forms
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import QueryDict

from dashboard.forms.looks import Looks
from dashboard.forms.run_filters import RunFilterForm
from dashboard.models import SavedView
from dashboard.run_address import Address
from dashboard.run_views import find
from dashboard.seen import seen_by

TAKEN = "You have a view of this name already. Choose another name."


class SavedViewForm(Looks, forms.ModelForm):
    """A view's name and who can use it. Somebody who is not its owner may only end the sharing."""

    class Meta:
        model = SavedView
        fields = ("name", "shared")
        labels = {"shared": "Share it with everybody"}
        help_texts = {"shared": "Others can use it and save their own copy. Only you can change it."}

    def __init__(self, *args: object, acting: User, **kwargs: object):
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        if self.instance.pk is None:
            self.instance.owner = acting
        elif self.instance.owner_id != acting.pk:
            del self.fields["name"]
            self.fields["shared"].help_text = ""

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        others = SavedView.objects.filter(owner=self.instance.owner).exclude(pk=self.instance.pk)
        if others.filter(name=name).exists():
            raise forms.ValidationError(TAKEN)
        return name

    def saves(self) -> bool:
        """Save what is valid and is this form's; False, with an error, when the same name came at the same moment."""
        if not self.is_valid():
            return False
        try:
            with transaction.atomic():
                self.instance.save(update_fields=[*self.fields] if self.instance.pk else None)
        except IntegrityError:
            self.add_error("name", TAKEN)
            return False
        return True


class FilterQueryField(forms.CharField):
    """The run list's query string. Cleans to the filters and the order alone, as `Address.full_query` writes them."""

    widget = forms.HiddenInput

    def __init__(self, user: User | None = None):
        most = SavedView._meta.get_field("query").max_length
        too_long = {"max_length": "These are too many filters for one view. Drop some of them."}
        super().__init__(required=False, max_length=most, label="Filters", error_messages=too_long)
        self.user = user

    def clean(self, value: str | None) -> str:
        query = Address.of(QueryDict(super().clean(value))).full_query
        filters = RunFilterForm(QueryDict(query), seen=seen_by(self.user))
        if not filters.is_valid():
            raise forms.ValidationError(filters.sentences())
        return query


class NewViewForm(SavedViewForm):
    def __init__(self, *args: object, acting: User, **kwargs: object):
        super().__init__(*args, acting=acting, **kwargs)
        self.fields["filters"] = FilterQueryField(acting)

    def saves(self) -> bool:
        if self.is_valid():
            self.instance.query = self.cleaned_data["filters"]
        return super().saves()


class ViewFiltersForm(forms.Form):
    """New filters for a view that exists."""

    def __init__(self, *args: object, acting: User):
        super().__init__(*args)
        self.fields["filters"] = FilterQueryField(acting)


class DefaultViewForm(forms.Form):
    """The view that a person's run list opens with; nothing for all runs."""

    view = forms.CharField(required=False, max_length=20)

    def __init__(self, *args: object, acting: User):
        super().__init__(*args)
        self.acting = acting

    def clean_view(self) -> str:
        key = self.cleaned_data["view"]
        if key and find(key, self.acting) is None:
            raise forms.ValidationError("There is no such view, or its owner keeps it private.")
        return "" if key == "all" else key


class SeenForm(forms.Form):
    """What the page knew on which somebody says that they have seen it: by our clock, and up to which run."""

    until = forms.DateTimeField(required=False)
    newest = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
