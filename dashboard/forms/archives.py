"""What is exported to an archive, and where an archive is imported to."""

from collections.abc import Mapping

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from dashboard.forms.looks import Looks
from dashboard.forms.run_filters import RunFilterForm
from runs.archive.saved import readers
from runs.listing import runs_matching
from runs.models import Account, Run
from runs.services import SERVICES

NEW = "new"


class ExportForm(Looks, forms.Form):
    filter = forms.CharField(
        label="Only these runs",
        required=False,
        max_length=2000,
        help_text="What stands behind “?” in the run list's address, like result=failed. Left empty: all.",
        widget=forms.TextInput(attrs={"class": "form-control mono", "spellcheck": "false"}),
    )

    def __init__(self, data: Mapping[str, str] | None = None, **options: object):
        super().__init__(data, label_suffix="", **options)

    def clean_filter(self) -> str:
        text = self.cleaned_data["filter"].strip().removeprefix("?")
        self._choice = RunFilterForm.of(text)
        if problems := self._choice.problems_of_choice():
            raise forms.ValidationError(problems)
        return text

    def runs(self) -> QuerySet[Run] | None:
        """The runs that were asked for; None for all of the account."""
        return runs_matching(self._choice.filters()) if self.cleaned_data["filter"] else None


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or several, as a mapping of their names."""

    widget = FilesInput

    def clean(self, data: list[UploadedFile] | None, initial: object = None) -> dict[str, UploadedFile]:
        files = [super(FilesField, self).clean(file, initial) for file in data or [None]]
        if len({file.name for file in files}) < len(files):
            raise forms.ValidationError("Two of the files have the same name. Zip their folders and import the zip.")
        return {file.name: file for file in files}


class ImportForm(Looks, forms.Form):
    files = FilesField(
        label="File",
        help_text="An archive that Plimsoll exported; or what VSTS' API printed, saved as JSON: one file, several, "
        "or a zip of them.",
        error_messages={"required": "Choose a file.", "empty": "This file is empty. Choose another."},
        max_length=300,
    )
    into = forms.ChoiceField(
        label="Into",
        help_text="An archive is an account that is never synced, and on which nothing is started or stopped.",
    )
    name = forms.CharField(
        label="Name of the archive",
        required=False,
        max_length=100,
        help_text="Left empty: the name in the file; saved JSON has none. An archive of this name takes the runs in.",
    )
    provider = forms.ChoiceField(label="Saved JSON is of", required=False)

    def __init__(self, data: Mapping[str, str] | None = None, files: Mapping[str, object] | None = None):
        super().__init__(data, files, label_suffix="")
        accounts = Account.objects.order_by("name").values_list("slug", "name", "archive")
        known = [(slug, f"{name} (archive)" if archive else name) for slug, name, archive in accounts]
        self.fields["into"].choices = [(NEW, "An archive of its own"), *known]
        choices = [(key, SERVICES[key].label) for key in readers()]
        self.fields["provider"].choices = choices
        if len(choices) < 2:  # nothing to choose
            del self.fields["provider"]

    def options(self) -> dict[str, object]:
        """Keyword arguments of `import_archive`; only after `is_valid()`."""
        slug = self.cleaned_data["into"]
        account = None if slug == NEW else Account.objects.filter(slug=slug).first()
        name = "" if account else self.cleaned_data["name"]
        return {"account": account, "name": name, "provider": self.cleaned_data.get("provider", "")}
