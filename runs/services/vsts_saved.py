"""VSTS Cloud Load Test: its answers as somebody saved them, one or many to a file, read as if the service gave them.

A file holds what one call printed: runs (a list, bare or as {count, value}, or one), or errors, messages, results,
counter instances, counter samples or the result summary of one run; or a call with its answer as the manual's samples
have it ("requestUrl", "responseBody"). Which it is, is told by its members. Which run it belongs to, is told by the
answer itself, by the names of the file and its folders, or by the only run in the same folder.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from .answers import clean_text
from .base import BadRow, NotFound, RemoteRun, SavedRun, UnexpectedAnswer
from .rows import list_of, mapping_of, mappings_of
from .vsts_details import BelowRun
from .vsts_payloads import LABEL, read_run

RUNS = "runs"
_RUN_IN_URL = re.compile(r"/testruns/([^/?#]+)", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BREAK = re.compile(r"[^0-9a-z-]+")


def _has(*members: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and any(member in value for member in members)


def _rows(*members: str) -> Callable[[Any], bool]:
    return lambda value: any(all(member in row for member in members) for row in mappings_of(value))


# Kinds of answers and how each is known: the first that fits.
KINDS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("errors", _has("types")),
    ("errors", _rows("occurrences", "subType")),
    ("messages", _rows("messageType", "message")),
    ("results", _has("resultsUrl", "counterGroups", "diagnostics")),
    ("summary", _has("overallRequestSummary", "topSlowRequests", "topSlowPages", "topSlowTransactions")),
    ("counters", _rows("counterInstanceId", "counterName")),
    ("samples", lambda value: isinstance(value, Mapping) and isinstance(value.get("values"), list)),
    (RUNS, lambda value: isinstance(value, Mapping) and "id" in value and ("state" in value or "createdDate" in value)),
    (RUNS, _rows("state")),
    (RUNS, _rows("createdDate")),
)


def kind_of(name: str, value: Any) -> str:
    """What an answer is about; an empty list says nothing, so its file's name does. "" for what we do not know."""
    found = next((kind for kind, fits in KINDS if fits(value)), "")
    if found or list_of(value) or not isinstance(value, list | Mapping):
        return found
    if isinstance(value, Mapping) and "value" not in value:
        return ""
    kinds = ("errors", "messages", "samples", "counters")
    return next((kind for kind in kinds if kind[:-1] in PurePosixPath(name).name.lower()), RUNS)


def _answer(value: Any) -> tuple[Any, str]:
    """What the service answered, and the address it was asked at, if that was saved too."""
    if isinstance(value, Mapping) and "responseBody" in value:
        return value["responseBody"], clean_text(value.get("requestUrl"), 2000)
    return value, ""


class SavedAnswers:
    """Walks the files twice: to learn what each is about, and then run by run. Holds one file at a time."""

    def __init__(self, documents: Mapping[str, Any], secrets: Sequence[str] = ()):
        self._documents, self._secrets = documents, secrets
        self._best: dict[str, tuple[int, str]] = {}  # run -> how much the fullest record says, and its file
        self._lists: list[str] = []
        self._loose: list[tuple[str, str, frozenset[str]]] = []  # file, kind, the runs it names itself
        self._about: dict[str, dict[str, list[str]]] = {}  # run -> kind -> files
        self._done: set[str] = set()

    def runs(self) -> Iterator[SavedRun | BadRow]:
        for name in self._documents:
            yield from self._learn(name)
        yield from self._assign()
        for name in self._lists:
            yield from self._read(name)

    # -- what each file is about ---------------------------------------------------------------------------------------

    def _learn(self, name: str) -> Iterator[BadRow]:
        try:
            value, url = _answer(self._documents[name])
        except UnexpectedAnswer as problem:
            yield BadRow(name, str(problem))
            return
        kind = kind_of(name, value)
        if kind == RUNS:
            self._lists.append(name)
            for item in _run_rows(value):
                key = _key(item)
                if key and len(item) > self._best.get(key, (0, ""))[0]:
                    self._best[key] = (len(item), name)
        elif kind:
            self._loose.append((name, kind, frozenset(_named_runs(value, url))))
        else:
            yield BadRow(name, f"no answer of {LABEL} about runs, or what belongs to one")

    def _assign(self) -> Iterator[BadRow]:
        """Give each file to its run."""
        alone = self._alone()
        for name, kind, named in self._loose:
            runs = [run for run in named if run in self._best] or self._by_name(name)
            if not runs and (run := alone.get(str(PurePosixPath(name).parent))):
                runs = [run]
            for run in runs:
                self._about.setdefault(run, {}).setdefault(kind, []).append(name)
            if not runs:
                yield BadRow(
                    name,
                    f"its run {sorted(named)[0]} is not among the files"
                    if named
                    else "it does not say of which run it is: name the file or its folder after the run's id",
                )

    def _alone(self) -> dict[str, str]:
        """Folder -> its run, where it holds the record of one only."""
        found = defaultdict(set)
        for run, (_, name) in self._best.items():
            found[str(PurePosixPath(name).parent)].add(run)
        return {folder: next(iter(runs)) for folder, runs in found.items() if len(runs) == 1}

    def _by_name(self, name: str) -> list[str]:
        """The run whose id stands in the names of the file and its folders, the nearest to the file."""
        for part in reversed(PurePosixPath(name.lower()).parts):
            found = [run for run in _ids_in(part) if run in self._best]
            if found:
                return found[:1]
        return []

    # -- run by run ----------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> Iterator[SavedRun | BadRow]:
        value, _ = _answer(self._documents[name])
        for index, item in enumerate(_run_rows(value)):
            key = _key(item)
            if key and (key in self._done or self._best[key] != (len(item), name)):
                continue  # another record says more of it
            self._done.add(key)
            run = read_run(item, self._secrets)
            if isinstance(run, BadRow):
                yield BadRow(run.external_id or f"{name}, row {index + 1}", run.reason)
            else:
                yield self._with_details(run, key)

    def _with_details(self, run: RemoteRun, key: str) -> SavedRun:
        if key not in self._about:
            return SavedRun(run)
        answers = _OfRun(self._documents, self._about[key], key)
        details = BelowRun(answers, self._secrets).get_details(run)
        return SavedRun(run, details, tuple(answers.missing))


class _OfRun:
    """What was saved of one run, as `vsts_details.Answers`. `missing`: what was asked for in vain."""

    def __init__(self, documents: Mapping[str, Any], files: Mapping[str, Sequence[str]], key: str):
        self._documents, self._files, self._key = documents, files, key
        self.missing: list[str] = []

    def errors(self, run_id: str) -> Any:
        """Of several, such as one with details and one without, that which says most."""
        return max(self._all("errors"), key=lambda answer: len(str(answer)))

    def messages(self, run_id: str) -> Any:
        rows = [row for answer in self._all("messages") for row in mappings_of(answer)]
        ours = [row for row in rows if clean_text(row.get("testRunId"), 200).lower() == self._key]
        # Where none of them names this run, it was the file's name that did.
        return list({str(row.get("messageId") or f"#{n}"): row for n, row in enumerate(ours or rows)}.values())

    def results(self, run_id: str) -> Any:
        return self._all("results")[0]

    def result_summary(self, run_id: str) -> Any:
        """It is in no manual, so hardly anybody has saved it: nobody misses it."""
        answers = self._all("summary", needed=False)
        return answers[0] if answers else None

    def counter_instances(self, run_id: str, groups: Sequence[str]) -> Any:
        """Those of all groups, which may have been asked for one by one; of two, that with a summary counts."""
        found: dict[Any, Mapping[str, Any]] = {}
        for row in (row for answer in self._all("counters") for row in mappings_of(answer)):
            key = str(row.get("counterInstanceId"))
            if key not in found or row.get("summaryData"):
                found[key] = row
        return list(found.values())

    def counter_samples(self, run_id: str, wanted: Mapping[str, int]) -> Any:
        return {"values": [row for answer in self._all("samples") for row in mappings_of(answer.get("values"))]}

    def _all(self, kind: str, needed: bool = True) -> list[Any]:
        found = [_answer(self._documents[name])[0] for name in self._files.get(kind, ())]
        if not found and needed:
            self.missing.append(kind)
            raise NotFound(f"The {kind} of this run were not saved.")
        return found


def _run_rows(value: Any) -> list[Any]:
    """The runs of an answer: of a list, or the one that it is."""
    return [value] if isinstance(value, Mapping) and "value" not in value else list_of(value)


def _key(item: Any) -> str:
    """A run's id as runs are told apart; "" for what has none."""
    return clean_text(mapping_of(item).get("id"), 200).lower()


def _named_runs(value: Any, url: str) -> set[str]:
    """The runs that an answer about one names itself."""
    if match := _RUN_IN_URL.search(url):
        return {match[1].lower()}
    rows = [mapping_of(value), *mappings_of(value)]
    rows += [row for member in ("types", "counterGroups") for row in mappings_of(mapping_of(value).get(member))]
    found = {clean_text(row.get("testRunId"), 200).lower() for row in rows}
    for row in rows:
        if match := _RUN_IN_URL.search(clean_text(row.get("url"), 2000)):
            found.add(match[1].lower())
    return found - {""}


def _ids_in(part: str) -> list[str]:
    """What may be a run's id in the name of a file or folder, in lower case."""
    stem = part.rsplit(".", 1)[0]
    return [part, stem, *_GUID.findall(part), *_BREAK.split(stem)]
