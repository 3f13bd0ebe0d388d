"""Records of one cell against each other, end to end: what is found, what is not, and what cannot be told."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_comparison import MACHINE, cost, failed, record, tables, vacancy, write

from uqbench.compare.accuracy import COVERAGE, SCORE, WIDTH
from uqbench.compare.comparison import compare_sides
from uqbench.compare.cost import compare_costs
from uqbench.compare.side import Entry, Side, read_side
from uqbench.suite.record import RawPart, Record


@pytest.fixture(name="compare")
def _compare(tmp_path):
    """Compare records (record, raw) of two sides."""

    def run(base, new):
        for name, made in (("base", base), ("new", new)):
            (tmp_path / name).mkdir()
            for one, raw in made:
                write(tmp_path / name, one, raw)
        return compare_sides(read_side(tmp_path / "base"), read_side(tmp_path / "new"))

    return run


def what(found):
    return {(f.where.split("/")[2], f.what, f.worse) for f in found.findings}


def test_the_same_records_are_equal_to_the_last_bit(compare):
    pops = (record("pops"), tables())
    found = compare([pops], [pops])
    assert found.exit_code == 0
    assert found.equal == ("toy/line/pops/forces/train=1/seed=0/cpu",)
    assert not found.judged


def test_new_code_does_not_make_another_cell(compare):
    found = compare(
        [(record("pops"), tables())], [(record("pops", content_key="other", created="later"), tables())]
    )
    assert (found.matched, found.new, found.gone) == (1, (), ())


def test_wider_bounds_are_worse_and_calibration_does_not_hide_them(compare):
    found = compare([(record(), tables())], [(record(), tables(widened=1.2))])
    assert ("pops", f"{WIDTH} (forces, test)", True) in what(found)
    assert found.exit_code == 1
    change = {j.test.what: j.test.change for j in found.judged}
    assert change[f"{WIDTH} (forces, test)"] == pytest.approx(math.log(1.2))
    assert change[f"{SCORE} (forces, test)"] == pytest.approx(0.0, abs=1e-6)


def test_narrower_bounds_that_miss_are_worse_alone(compare):
    found = compare([(record(), tables())], [(record(), tables(widened=0.6))])
    assert what(found) == {("pops", f"{COVERAGE} (forces, test)", True)}
    assert found.exit_code == 1


def shrunk(factor, nominal=None):
    """Bounds as those of a method that covers 99.7 % where it claims 95 %, times a factor."""
    raw = tables(widened=1.5)
    return {
        k: replace(
            t,
            lower=t.mean - factor * (t.mean - t.lower),
            upper=t.mean + factor * (t.upper - t.mean),
            nominal=t.nominal if nominal is None else np.array(nominal),
        )
        for k, t in raw.items()
    }


def test_bounds_that_covered_too_much_and_now_miss_are_worse_and_nothing_is_better(compare):
    """99.7 % to 88 % of 95 % claimed: 4.7 above the claim, 7 below it."""
    found = compare([(record(), shrunk(1.0))], [(record(), shrunk(0.5))])
    assert what(found) == {("pops", f"{COVERAGE} (forces, test)", True)}
    assert found.exit_code == 1
    assert found.worse[0].before.endswith("of 95.0 % claimed")
    assert any("no improvement" in note and WIDTH in note for note in found.notes)


def test_bounds_that_covered_too_much_and_still_cover_are_better(compare):
    found = compare([(record(), shrunk(1.0))], [(record(), shrunk(0.8))])
    assert what(found) == {("pops", f"{WIDTH} (forces, test)", False)}


@pytest.mark.parametrize(("claim", "code"), [(0.5, 1), (0.99, 2)])
def test_another_claim_is_no_improvement(compare, claim, code):
    """Bounds that claim half of what they did and are a third as wide are no sharper."""
    found = compare([(record(), shrunk(1.0))], [(record(), shrunk(0.3, claim))])
    assert found.exit_code == code
    assert not found.better
    if code == 1:
        (worse,) = found.worse
        assert (worse.before, worse.after) == ("95.0 %", "50.0 %")
        assert "claims less than before" in worse.why
    else:
        assert "claim 99.0 % now and claimed 95.0 % before" in found.incomparable[0][1]


def test_a_worse_mean_shows_in_the_interval_score(compare):
    found = compare([(record(), tables())], [(record(), tables(shift=1.0))])
    assert ("pops", f"{SCORE} (forces, test)", True) in what(found)


def test_a_change_within_the_tolerance_is_none_however_sure(compare):
    found = compare([(record(), tables())], [(record(), tables(widened=1.04))])
    assert found.exit_code == 0
    assert not found.findings


def test_bounds_that_are_gone_are_worse(compare):
    raw = tables(stated=False)
    stripped = {
        k: type(t)(**{**vars(t), "std": np.empty(0), "rule": np.array(["none"])}) for k, t in raw.items()
    }
    base, new = record(), record()
    found = compare([(base, tables())], [(new, stripped)])
    assert {f.what for f in found.worse} >= {f"{WIDTH} (forces, test)", f"{COVERAGE} (forces, test)"}


def test_few_clusters_are_said_and_not_tested(compare):
    found = compare([(record(), tables(n_test=6))], [(record(), tables(n_test=6, widened=1.5))])
    assert not found.judged
    assert any("6 clusters" in note for note in found.notes)


@pytest.mark.parametrize(
    ("data", "reason"),
    [({"hash": "other"}, "the dataset changed"), ({"split_hash": "other"}, "the split changed")],
)
def test_other_data_cannot_be_compared(compare, data, reason):
    found = compare([(record(), tables())], [(record(data=data), tables(widened=2.0))])
    assert found.exit_code == 2
    assert reason in found.incomparable[0][1]


def test_other_labels_or_structures_cannot_be_compared(compare):
    found = compare([(record(), tables())], [(record(), tables(seed=2))])
    assert (found.exit_code, found.findings) == (2, ())
    assert "the labels of forces differ" in found.incomparable[0][1]


def test_a_regression_outweighs_what_cannot_be_compared(compare):
    base = [(record("a"), tables()), (record("b"), tables())]
    new = [(record("a"), tables(seed=2)), (record("b"), tables(widened=1.5))]
    assert compare(base, new).exit_code == 1


def test_predictions_that_were_altered_are_not_compared(compare, tmp_path):
    (tmp_path / "x").mkdir()
    path = write(tmp_path / "x", record(), tables())
    raw = path.with_suffix(".npz")
    raw.write_bytes(raw.read_bytes() + b"x")
    (tmp_path / "y").mkdir()
    write(tmp_path / "y", record(), tables())
    found = compare_sides(read_side(tmp_path / "y"), read_side(tmp_path / "x"))
    assert found.exit_code == 2
    assert "altered" in found.incomparable[0][1]


def test_records_with_nothing_in_them_are_not_equal(compare):
    found = compare([(record(), None)], [(record(), None)])
    assert (found.exit_code, found.equal) == (2, ())


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        ("ok", "failed", True),
        ("ok", "not applicable", True),
        ("not applicable", "failed", True),
        ("failed", "ok", False),
        ("not applicable", "ok", False),
        ("failed", "failed", None),
        ("failed", "not applicable", None),
    ],
)
def test_results_that_come_and_go(compare, before, now, worse):
    def one(status):
        return (record(), tables()) if status == "ok" else (failed("pops", status), None)

    found = compare([one(before)], [one(now)])
    assert [f.worse for f in found.findings] == ([] if worse is None else [worse])
    assert found.exit_code == (1 if worse else 0)
    if worse:
        assert "it broke" in found.worse[0].why


def test_cells_of_one_side_are_listed_and_no_regression(compare):
    found = compare(
        [(record("a"), tables()), (record("b"), tables())], [(record("a"), tables()), (record("c"), tables())]
    )
    assert [c.split("/")[2] for c in found.gone] == ["b"]
    assert [c.split("/")[2] for c in found.new] == ["c"]
    assert found.exit_code == 0


def test_a_file_whose_content_changed_is_another_dataset_and_neither_new_nor_gone(compare):
    found = compare(
        [(record("a", dataset="mine.xyz@aaaa0000"), tables())],
        [(record("a", dataset="mine.xyz@bbbb1111"), tables(widened=3.0))],
    )
    assert (found.new, found.gone, found.exit_code) == ((), (), 2)
    assert found.incomparable[0][1] == (
        "the dataset changed (mine.xyz@aaaa0000 before, mine.xyz@bbbb1111 now)"
    )


def test_a_record_that_cannot_be_read_is_not_gone(compare, tmp_path):
    sides = [(record("a"), tables()), (record("b"), tables())]
    compare(sides, sides)
    path = next((tmp_path / "new").glob("*__b__*.json"))
    path.write_text(path.read_text()[:100])
    found = compare_sides(read_side(tmp_path / "base"), read_side(tmp_path / "new"))
    assert (found.gone, found.exit_code) == ((), 2)


def broken_cost(**changes):
    made = cost()
    made["predict"] |= changes
    return {**made, "predict": {k: v for k, v in made["predict"].items() if v is not None}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ratio_to_bare": 0}, "cost.predict.ratio_to_bare is 0"),
        ({"ratio_to_bare": -1.5}, "cost.predict.ratio_to_bare is -1.5"),
        ({"ratio_to_bare": math.nan}, "cost.predict.ratio_to_bare is nan"),
        ({"ratio_quartiles": None}, "cost.predict.ratio_quartiles is missing"),
        ({"ratio_quartiles": [2.0, 1.0]}, "lower quartile is above"),
        ({"bare_us_per_atom": "much"}, "cost.predict.bare_us_per_atom is much"),
    ],
)
def test_costs_that_are_none_cannot_be_compared_and_are_named(compare, changes, words):
    broken = Record.model_construct(**{**dict(record()), "cost": broken_cost(**changes)})
    side = [Entry(r, Path("x.json")) for r in (record(), broken)]
    found = compare_costs(*(Side({e.record.cell_id: e}, {}) for e in side), [record().cell_id])
    assert (found.tests, found.findings) == ([], [])
    assert words in found.incomparable[0][1]
    assert found.incomparable[0][1].startswith("now: ")


def test_times_that_are_left_out_are_counted(compare):
    untimed = {**cost(), "predict": {}, "fit": [{"cpu_s": 0.1}] * 3}
    found = compare([(record(), tables())], [(record(cost=untimed), tables())])
    short = {**cost(), "fit": [{"cpu_s": 0.1}] * 3}
    assert "times not compared: 1 of 1 of predictions (a record has none)" in found.notes
    costs = compare_costs(
        *[
            Side(
                {record().cell_id: Entry(record(cost=short, raw=RawPart(file="x", sha256="")), Path("x"))}, {}
            )
        ]
        * 2,
        [record().cell_id],
    )
    assert costs.notes == ["times not compared: 1 of 1 of fitting (under 1 s, or fewer than 3 folds)"]


def test_nothing_in_common_cannot_be_compared(compare):
    assert compare([(record("a"), tables())], [(record("b"), tables())]).exit_code == 2


def test_two_cells_and_one_that_changed(compare):
    """Holm's adjustment is over all tests of scores, not over those of one cell."""
    base = [(record(m), tables(seed=k)) for k, m in enumerate("abc")]
    new = [(record(m), tables(seed=k, widened=1.1 if m == "b" else 1.01)) for k, m in enumerate("abc")]
    found = compare(base, new)
    assert {f.where.split("/")[2] for f in found.worse} == {"b"}
    assert len(found.judged) == 9


def test_a_slower_prediction_is_caught_once_whatever_the_number_of_tasks(compare):
    raw = tables()
    tasks = [("forces", raw), ("vacancy", None)]

    def side(ratio):
        return [
            (record("pops", t, cost=cost(ratio), properties=[] if r else [vacancy()]), r) for t, r in tasks
        ]

    found = compare(side(1.5), side(2.25))
    assert [(f.what, f.worse) for f in found.findings] == [("time of a prediction / bare", True)]
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"machine_class": "another machine"}, "other machines"),
        ({"machine": {"thread_pools": [{**MACHINE["thread_pools"][0], "threads": 8}]}}, "numbers of threads"),
        ({"cost": cost(4.0, busy=True)}, "busy"),
    ],
)
def test_times_that_do_not_compare_are_left_out_and_said(compare, fields, reason):
    found = compare([(record(), tables())], [(record(**{"cost": cost(4.0), **fields}), tables())])
    assert not found.findings
    assert any(reason in note for note in found.notes)
    assert found.exit_code == 0


def test_a_time_without_its_number_of_repeats_is_not_compared_and_said(compare):
    old = cost(1.5)
    del old["predict"]["repeats"]
    found = compare([(record(cost=old), tables())], [(record(cost=cost(4.0)), tables())])
    assert not found.findings
    assert any("does not say how often" in note for note in found.notes)
    assert found.exit_code == 0


def test_time_and_memory_are_left_alone_where_scores_are_all_that_is_asked(tmp_path):
    for name, made in (("base", cost(1.5)), ("new", cost(4.0, memory=9e8))):
        (tmp_path / name).mkdir()
        write(tmp_path / name, record(cost=made), tables(1.2 if name == "new" else 1.0))
    found = compare_sides(read_side(tmp_path / "base"), read_side(tmp_path / "new"), scores_only=True)
    assert {f.what for f in found.worse} == {f"{WIDTH} (forces, test)"}
    assert any("--scores-only" in note for note in found.notes)


def test_a_noisy_time_needs_a_larger_change(compare):
    found = compare(
        [(record(cost=cost(1.5, spread=0.3)), tables())], [(record(cost=cost(2.0, spread=0.3)), tables())]
    )
    assert not found.findings


def test_memory_counts_only_between_processes_with_the_same_tasks(compare):
    """A process that answers more tasks takes more memory, and no code changed."""
    base = [(record(cost=cost(memory=2e8)), tables())]
    more = (record(task="vacancy", properties=[vacancy()], cost=cost(memory=4e8)), None)
    found = compare(base, [(record(cost=cost(memory=4e8)), tables()), more])
    assert not found.findings
    assert any("other tasks" in note for note in found.notes)


def test_twice_the_memory_is_worse(compare):
    found = compare([(record(cost=cost(memory=2e8)), tables())], [(record(cost=cost(memory=4e8)), tables())])
    assert [f.what for f in found.worse] == ["memory of the process at its peak"]


@pytest.mark.parametrize(
    ("changes", "words", "worse"),
    [
        ({"lower": 0.59, "upper": 0.80}, None, None),
        ({"lower": 0.5, "upper": 0.9}, "width of bounds", True),
        ({"lower": 0.66, "upper": 0.78}, "width of bounds", False),
        ({"lower": 0.5, "upper": 0.7}, "distance of the reference", True),
        ({"value": None, "lower": None, "upper": None}, "vacancy (raw", True),
        ({"lower": None, "upper": None}, "bounds of vacancy", True),
        ({"counts": {"samples": 100, "unstable": 20}}, "samples without a result", True),
    ],
)
def test_properties_are_compared_by_their_stated_numbers(compare, changes, words, worse):
    base = [(record(task="vacancy", properties=[vacancy()]), None)]
    found = compare(base, [(record(task="vacancy", properties=[vacancy(**changes)]), None)])
    if words is None:
        assert not found.findings
    else:
        assert len(found.findings) == 1
        assert found.findings[0].what.startswith(words)
        assert found.findings[0].worse is worse


@pytest.mark.parametrize("changes", [{"reference": 0.95}, {"reference": None}, {"compared_with": "other"}])
def test_another_reference_cannot_be_compared(compare, changes):
    base = [(record(task="vacancy", properties=[vacancy()]), None)]
    found = compare(base, [(record(task="vacancy", properties=[vacancy(**changes)]), None)])
    assert (found.findings, found.exit_code) == ((), 2)
    assert "the reference of vacancy changed (0.750 eV (vacancy) before" in found.incomparable[0][1]


def test_narrower_bounds_of_a_property_that_miss_are_no_improvement(compare):
    base = [(record(task="vacancy", properties=[vacancy()]), None)]
    found = compare(base, [(record(task="vacancy", properties=[vacancy(lower=0.6, upper=0.7)]), None)])
    assert [f.worse for f in found.findings] == [True]


def test_many_properties_with_one_thing_to_say_take_one_line(compare):
    names = [f"C{i}" for i in range(5)]
    sides = [
        [(record(task="elastic", properties=[vacancy(name=n, upper=upper) for n in names]), None)]
        for upper in (0.8, 1.0)
    ]
    found = compare(*sides)
    assert len(found.findings) == 1
    assert "4 more properties" in found.findings[0].why


def test_versions_that_changed_are_said(compare):
    found = compare([(record(), tables())], [(record(software={"numpy": "3"}), tables())])
    assert "numpy 2 before, 3 now (1 cells)" in found.notes
