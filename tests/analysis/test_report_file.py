"""The report's file: its policy, what is packed in it, and how it is written from a store."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from stored import BASELINE, GUIDED, HOSTILE, renamed, results, run_of, told

from analysis import report
from analysis.report import html
from analysis.report.content import content
from analysis.report.results import read
from analysis.selection import METRICS
from mgsweep.errors import InvalidInput
from mgsweep.store import Store
from mgsweep.trial import Trial


def made(rows: pd.DataFrame) -> dict[str, object]:
    return content(results(rows), "mgsweep run made_up.yaml", live=False)


# The file


class Parts(HTMLParser):
    """Scripts, styles and everything that could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts, self.styles, self.policy, self.suspects, self.titles = [], [], "", [], []
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        # What is not JavaScript is data and does not run.
        self._into = {"style": self.styles, "title": self.titles}.get(tag)
        if tag == "script" and "type" not in given:
            self._into = self.scripts
        self.suspects += [key for key in given if key.startswith("on") or key in ("src", "style")]
        self.suspects += [
            url for key in ("href", "action") if (url := given.get(key) or "") and not url.startswith("#")
        ]

    def handle_data(self, text: str) -> None:
        if self._into is not None:
            self._into.append(text)
        self._into = None


def test_the_policy_lets_run_what_is_in_the_page_and_nothing_else() -> None:
    parts = Parts()
    parts.feed(html.page(made(renamed(synthetic.small()))).decode())
    assert len(parts.scripts) == len(html.SCRIPTS) + 1
    allowed = {
        name: set(words.split()) for name, _, words in (part.strip().partition(" ") for part in parts.policy.split(";"))
    }
    assert allowed["default-src"] == {"'none'"}
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in parts.scripts}
    assert allowed["script-src"] == hashes
    assert not any("unsafe" in word for words in allowed.values() for word in words)
    assert parts.suspects == []
    assert "".join(parts.titles) == "made_up · mgsweep"


def test_names_are_nowhere_in_the_page_as_they_are() -> None:
    rows = renamed(synthetic.small())
    page = html.page(content(results(rows, name=HOSTILE, text=HOSTILE), HOSTILE, live=False)).decode()
    assert HOSTILE not in page
    assert "<script>alert(1)" not in page


def test_what_is_packed_comes_back() -> None:
    told = made(renamed(synthetic.small()))
    assert html.unpacked(html.packed(told)) == json.loads(json.dumps(told))


def test_without_plotly_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"pip install 'mgsweep\[report\]'"):
        html.plotly()


# From a store


def test_a_page_from_a_store_shows_unfinished_trials_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [BASELINE, GUIDED])
    run_of(BASELINE, store)
    run_of(GUIDED, store, epochs=1, commit=False)
    path, active = report.write(store, "mgsweep run demo.yaml", tmp_path / "out", live=True)
    assert (path, active) == (tmp_path / "out" / "demo.html", True)
    data = told(path)
    assert [data["states"][code] for code in data["trials"]["state"]] == ["done", "interrupted"]
    assert data["trials"]["epochs_done"] == [2, 1]
    assert data["live"] is True
    assert data["text"] == "name: demo\n"
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["demo.html"]
    assert set(METRICS) > {metric["key"] for metric in data["metrics"]} == {"f1", "epg"}


@pytest.mark.parametrize("other", ["pets_ba9876543210", "pets"])
def test_own_data_have_one_name_in_results_and_plan(tmp_path: Path, other: str) -> None:
    first, second = (Trial(dataset=name, model="bcos") for name in ("pets_0123456789ab", other))
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [first, second])
    run_of(first, store)
    found = read(store)
    assert set(found.planned["dataset"]) == {first.dataset, other}
    assert set(found.rows["dataset"]) == {first.dataset}
    alone = Store(tmp_path / "alone")
    alone.begin("name: alone\n", [first])
    run_of(first, alone)
    found = read(alone)
    assert set(found.planned["dataset"]) == set(found.rows["dataset"]) == {"pets"}


def test_watching_ends_with_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [BASELINE, GUIDED])
    run_of(BASELINE, store)
    monkeypatch.setattr("time.sleep", lambda seconds: run_of(GUIDED, store))
    states = [told(path)["live"] for path in report.watch(store, "mgsweep run demo.yaml", tmp_path)]
    assert states == [True, False]


def test_who_stops_watching_leaves_a_page_that_does_not_wait(tmp_path: Path) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [BASELINE])
    pages = report.watch(store, "mgsweep run demo.yaml", tmp_path)
    path = next(pages)
    assert told(path)["live"] is True
    pages.close()
    assert told(path)["live"] is False


def test_an_empty_store_makes_a_page(tmp_path: Path) -> None:
    path, _ = report.write(Store(tmp_path / "nothing"), "mgsweep run x.yaml", tmp_path)
    assert told(path)["trials"]["id"] == []
