"""How static files are kept once they are collected."""

from collections.abc import Iterable, Iterator

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Every file under its plain name and under one with its checksum; those that pages link to, compressed.

    Plain names are linked by the page of last resort alone, and compressing them too would take as long again.
    """

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        return super().compress_files(set(paths) & set(self.hashed_files.values()))
