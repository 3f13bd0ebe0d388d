"""The page as a file: whole, self-contained, bounded, and with nothing in it that a name could break out of."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from html_records import IMAGE, SCRIPT, of_dataset, write_records
from synthetic_records import make_record, make_table, write, write_methods

from uqbench.cli import main
from uqbench.data.dataset import load_dataset
from uqbench.errors import UqbenchError
from uqbench.report.evidence import load_evidence
from uqbench.report.html import details, libraries, pictures
from uqbench.report.html.details import chosen_rows, worst_covered
from uqbench.report.html.page import page_data, write_html
from uqbench.report.markdown import number
from uqbench.suite.scoring import raw_variant

pytest.importorskip("plotly", reason="needs plotly")
pytest.importorskip("itables", reason="needs itables")


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data

    def having(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(name="page", scope="module")
def _page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("html")
    write_records(folder / "records")
    return write_html(folder / "records", folder / "page.html").read_text()


def data_of(page):
    return json.loads(page.split('id="data">')[1].split("</script>")[0])


def test_it_is_a_page_on_its_own(page):
    parsed = Parsed(page)
    assert parsed.having("html")[0]["lang"] == "en"
    assert "<title>uqbench leaderboard</title>" in page
    links = [a.get("src") or a.get("href") for _, a in parsed.elements if a.get("src") or a.get("href")]
    assert links == ["data:,", "#main"]


def test_only_its_own_scripts_may_run_and_nothing_may_be_loaded(page):
    parsed = Parsed(page)
    policy = next(a["content"] for a in parsed.having("meta") if "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    run = [s for s, a in zip(parsed.scripts, parsed.having("script"), strict=True) if "type" not in a]
    assert {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in run} == allowed
    assert len(run) == 3


def test_names_are_data_and_never_markup(page):
    parsed = Parsed(page)
    assert len(parsed.scripts) == 4
    assert not parsed.having("img")
    assert SCRIPT not in page
    words = data_of(page)["tables"][0]["words"]
    assert {SCRIPT, IMAGE, f"other {SCRIPT}"} <= set(words)


def test_rows_say_what_the_records_say(page, tmp_path):
    data = data_of(page)
    assert data["counts"] == {"ok": 8, "failed": 1, "not applicable": 0}
    assert [t["name"] for t in data["tables"]] == ["scores", "properties", "failures"]
    scores = data["tables"][0]
    labels = [c["label"] for c in scores["columns"]]
    rows = [dict(zip(labels, row, strict=True)) for row in scores["rows"]]
    assert len(rows) == 12
    write_records(tmp_path)
    records = {(r.cell.dataset, r.cell.method): r for r in load_evidence(tmp_path).records if r.scores}
    for row in rows:
        words = {k: scores["words"][row[k]] for k in ("dataset", "method", "scored")}
        kept = records[words["dataset"], words["method"]].scores[words["scored"]]["test"]["forces"]
        assert row["coverage 95 % (%)"][0] == pytest.approx(kept["coverage_95"].value, rel=1e-3)
        assert number(row["CRPS"]) == number(kept["crps"].value)
    front = [scores["words"][r["method"]] for r in rows if r["pareto"]]
    assert "shuffled" not in front


def test_every_chosen_row_has_details(page):
    data = data_of(page)
    assert sorted(map(int, data["details"])) == list(range(12))
    assert data["without_details"] == 0
    for one in data["details"].values():
        assert len(one["levels"]) == len(one["shares"]) == details.LEVELS
        assert len(one["std"]) == len(one["error"]) <= details.MOST_POINTS
        assert [one["levels"][0], one["levels"][-1]] == [0.0, 1.0]
        assert len(one["worst"]) == details.MOST_WORST
        ratios = [w["ratio"] for w in one["worst"]]
        assert ratios == sorted(ratios, reverse=True)


def test_worst_structures_are_those_of_a_loop_over_all():
    table = make_table("shuffled")["forces"]
    found = raw_variant(table, "test")
    chosen = table.scored & (table.part == 1)
    structure = table.structure[chosen]
    worst = {}
    for i, frame in enumerate(structure):
        half = 1.959963984540054 * found.std[i]
        ratio = abs(found.observed[i] - found.mean[i]) / half
        if ratio > worst.get(frame, (0.0,))[0]:
            worst[frame] = (ratio, half)
    expected = sorted(worst.items(), key=lambda item: -item[1][0])[: details.MOST_WORST]
    got = worst_covered(found, structure, table.config_types)
    assert [w.frame for w in got] == [frame for frame, _ in expected]
    assert [w.ratio for w in got] == pytest.approx([r for _, (r, _) in expected], rel=1e-3)
    assert [w.half_width for w in got] == pytest.approx([h for _, (_, h) in expected], rel=1e-3)
    assert all(w.config_type == ("bulk" if w.frame % 2 else "slab") for w in got)


def test_details_are_bounded_and_the_best_of_each_comparison_come_first(monkeypatch):
    monkeypatch.setattr(details, "MOST_ROWS", 5)
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    assert chosen_rows(places) == [0, 1, 3, 4, 5]


def test_rows_beyond_the_bound_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(details, "MOST_ROWS", 3)
    write_methods(tmp_path, constant="constant", good="true")
    data = page_data(tmp_path, load_evidence(tmp_path))
    assert len(data["details"]) == 3
    assert data["without_details"] == 1


def test_structures_are_drawn_where_the_data_are_those_that_were_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PICTURES", 2)
    al = load_dataset("al")
    tables = make_table("true")
    for stem, name, data_hash in (("a", "al", al.data_hash), ("b", "nowhere", "x")):
        write(tmp_path, stem, of_dataset(make_record("good", tables), name, data_hash), tables)
    data = page_data(tmp_path, load_evidence(tmp_path))
    assert len(data["pictures"]) == 2
    assert data["pictures_left_out"] > 0
    for key, picture in data["pictures"].items():
        frame = int(key.split()[1])
        assert picture["image"].startswith("data:image/png;base64,iVBOR")
        assert picture["atoms"] == len(al.frames[frame].atoms)
        assert picture["source"] == f"al_pool.xyz.xz, frame {al.frames[frame].source.split()[-1]}"
    assert "there is no dataset" in data["no_pictures"]["nowhere"]


def test_other_data_of_the_same_name_are_not_drawn(tmp_path):
    tables = make_table("true")
    write(tmp_path, "a", of_dataset(make_record("good", tables), "al"), tables)
    data = page_data(tmp_path, load_evidence(tmp_path))
    assert not data["pictures"]
    assert "hash differs" in data["no_pictures"]["al"]


def test_the_same_records_give_the_same_bytes(tmp_path, page):
    write_records(tmp_path / "records")
    assert write_html(tmp_path / "records", tmp_path / "again.html").read_text() == page


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(libraries, "_EXPORT", re.compile("nothing like it"))
    with pytest.raises(UqbenchError, match="0 export statements"):
        libraries.datatables_js()
    monkeypatch.setattr(
        libraries, "files", lambda package: (_ for _ in ()).throw(ModuleNotFoundError(package))
    )
    with pytest.raises(UqbenchError, match=r"pip install 'uqbench\[html\]'"):
        libraries.plotly_js()


def test_the_command_writes_what_was_asked_for(tmp_path, capsys):
    write_methods(tmp_path / "records", constant="constant")
    html = tmp_path / "page.html"
    assert main(["report", str(tmp_path / "records"), "--html", str(html)]) == 0
    assert html.exists()
    assert not (tmp_path / "README.md").exists()
    assert main(["report", str(tmp_path / "records"), "--html", str(html), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "README.md").exists()
    assert capsys.readouterr().out.count(f"wrote {html}") == 2


def test_numbers_are_finite_or_absent():
    curve = details._numbers(np.array([1.0, np.nan, np.inf]))
    assert curve == [1.0, None, None]
