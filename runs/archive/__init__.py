"""An account's runs as one file, and back: so that they stay readable when the provider, or this instance, is gone.

columns.py  a row of a table <-> JSON        export.py  rows -> the file
reading.py  a file somebody hands us -> JSON  store.py   JSON -> rows, merged with those that are there
saved.py    what a provider's own API printed, saved as JSON, -> rows
report.py   what is there of each run         imports.py the way in, for the page and the command alike

The format is described in docs/archives.md.
"""

FORMAT = "plimsoll-archive"
VERSION = 1


class ArchiveProblem(ValueError):
    """Why a file is not imported, as a sentence for whoever asked. `field`: what to change: files, into or name."""

    def __init__(self, sentence: str, field: str = "files"):
        super().__init__(sentence)
        self.field = field
