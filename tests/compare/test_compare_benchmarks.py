"""Files of pytest-benchmark, and times: against the theory of medians, and what one machine's noise must not do."""

import json
import math

import numpy as np
import pytest
from scipy.stats import norm

from uqbench.cli import main
from uqbench.compare.benchmarks import compare_benchmarks, read_benchmarks
from uqbench.compare.comparison import compare_files
from uqbench.compare.timing import TimedPair, Timing, timed_pair, timing_tests
from uqbench.errors import UqbenchError


def write(path, medians, spread=0.02, rounds=9, cpu="a processor", extra=None):
    """A file as pytest-benchmark writes it, cut to what is read."""
    benchmarks = [
        {
            "fullname": f"tests/test_bench.py::test_{name}",
            "extra_info": (extra or {}).get(name, {}),
            "stats": {"median": m, "q1": m * (1 - spread), "q3": m * (1 + spread), "rounds": rounds},
        }
        for name, m in medians.items()
    ]
    machine = {"cpu": {"brand_raw": cpu, "count": 2}}
    path.write_text(json.dumps({"machine_info": machine, "benchmarks": benchmarks}))
    return path


@pytest.fixture(name="compare")
def _compare(tmp_path):
    def run(base, new, **options):
        files = (write(tmp_path / "a.json", base, **options), write(tmp_path / "b.json", new, **options))
        return compare_files(*map(read_benchmarks, files))

    return run


SIX = {name: 0.01 * (k + 1) for k, name in enumerate("abcdef")}


def test_a_benchmark_that_slowed_down_is_found(compare):
    found = compare(SIX, {**SIX, "c": 1.5 * SIX["c"]})
    assert [f.where[-1] for f in found.worse] == ["c"]
    assert found.exit_code == 1


def test_a_benchmark_that_became_quicker_is_better(compare):
    found = compare(SIX, {**SIX, "c": 0.5 * SIX["c"]})
    assert [f.where[-1] for f in found.better] == ["c"]
    assert found.exit_code == 0


def test_another_pace_of_all_cannot_be_told_from_a_slowdown_of_all(compare):
    found = compare(SIX, {name: 1.7 * s for name, s in SIX.items()})
    assert not found.findings
    assert "most take ×1.70 the time" in found.incomparable[0][1]
    assert found.exit_code == 2


def test_five_of_eight_that_take_twice_as_long_are_no_pass_and_the_others_no_better(compare):
    eight = {name: 0.01 for name in "abcdefgh"}
    found = compare(eight, {name: 0.02 if name in "abcde" else 0.01 for name in eight})
    assert (found.findings, found.exit_code) == ((), 2)
    assert {(j.test.before, j.test.after) for j in found.judged} == {(0.01, 0.02), (0.01, 0.01)}


def test_a_slow_machine_does_not_hide_a_slowdown(compare):
    found = compare(SIX, {name: (3.0 if name == "e" else 1.7) * s for name, s in SIX.items()})
    (worse,) = found.worse
    assert (worse.where[-1], worse.before, worse.after) == ("e", "0.0500 s", "0.150 s")
    assert worse.why.startswith("×3.00, all ×1.70: ×1.76 (99 % interval")
    assert found.exit_code == 1


def test_a_quick_machine_makes_no_slowdown_of_what_stayed(compare):
    found = compare(SIX, {name: (1.0 if name == "e" else 0.4) * s for name, s in SIX.items()})
    assert (found.findings, found.exit_code) == ((), 2)


def test_few_benchmarks_need_more(compare):
    """Whether two changed by themselves or with the machine cannot be told."""
    assert not compare({"a": 1.0, "b": 1.0}, {"a": 1.5, "b": 1.0}).findings
    assert compare({"a": 1.0, "b": 1.0}, {"a": 4.0, "b": 1.0}).worse


def test_too_few_rounds_are_said(compare):
    found = compare(SIX, {**SIX, "c": 9.0}, rounds=2)
    assert not found.judged
    assert "fewer than 3 rounds" in found.notes[0]


def test_memory_in_extra_info_is_compared(tmp_path):
    base = write(tmp_path / "a.json", SIX, extra={"a": {"peak_mb": 100.0, "rate": 1.0}})
    new = write(tmp_path / "b.json", SIX, extra={"a": {"peak_mb": 150.0, "rate": 9.0}})
    found = compare_files(*map(read_benchmarks, (base, new)))
    assert [(f.what, f.before, f.after) for f in found.worse] == [("memory at its peak", "100 MB", "150 MB")]


def test_benchmarks_of_two_machines_are_refused(tmp_path, capsys):
    base, new = write(tmp_path / "a.json", SIX), write(tmp_path / "b.json", SIX, cpu="another")
    with pytest.raises(UqbenchError, match="other machines"):
        compare_benchmarks(*map(read_benchmarks, (base, new)))
    assert main(["compare", str(base), str(new)]) == 2


def test_benchmarks_that_come_and_go_are_listed(compare):
    found = compare(SIX, {**{n: s for n, s in SIX.items() if n != "a"}, "g": 1.0})
    assert [n[-1] for n in found.new] == ["g"]
    assert [n[-1] for n in found.gone] == ["a"]
    assert found.exit_code == 0


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"machine_info": {"cpu": {}}, "benchmarks": []}'])
def test_other_json_is_refused(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UqbenchError, match=r"x\.json"):
        read_benchmarks(path)


def test_a_time_of_zero_is_refused(tmp_path):
    with pytest.raises(UqbenchError, match="median is 0"):
        read_benchmarks(write(tmp_path / "a.json", {"a": 0.0}))


def test_the_error_of_a_median_is_that_of_theory():
    """Standard error of ln(median) of 201 lognormal repeats, from their quartiles, against simulation."""
    rng = np.random.default_rng(0)
    runs = np.exp(0.1 * rng.standard_normal((2000, 201)))
    low, high = np.exp(0.1 * norm.ppf([0.25, 0.75]))
    stated = Timing(1.0, low, high, 201).error
    assert stated == pytest.approx(np.std(np.log(np.median(runs, axis=1))), rel=0.06)


def test_repeats_and_processes_add_up():
    """With the error e of repeats and s of each process, a change is over √(e² + 2 s²)."""
    pair = TimedPair("a", "time", "s", 1.0, 1.2, 0.05)
    (found,) = timing_tests([pair], 0.03)
    error = math.hypot(0.05, math.sqrt(2) * 0.03)
    reach = (found.high - found.low) / 2
    assert reach / error == pytest.approx(3.355, abs=0.01)
    assert (found.low + found.high) / 2 == pytest.approx(math.log(1.2))


def test_a_timing_that_claims_no_noise_is_given_that_of_the_others():
    quiet, noisy = Timing(1.0, 1.0, 1.0, 7), Timing(1.0, 0.8, 1.25, 7)
    pairs = [timed_pair(str(k), "time", "s", t, t) for k, t in enumerate([quiet, noisy, noisy])]
    reach = [t.high for t in timing_tests(pairs, 0.02)]
    assert reach[0] == pytest.approx(reach[1])


def test_scatter_of_many_timings_is_noise():
    """Twelve timings that go up and down by half: none is a finding; twelve quiet ones and one that is."""
    rng = np.random.default_rng(1)

    def p_of_first(scatter):
        pairs = [
            TimedPair(
                str(k), "t", "s", 1.0, 1.5 if k == 0 else math.exp(scatter * rng.standard_normal()), 0.01
            )
            for k in range(12)
        ]
        return timing_tests(pairs, 0.02)[0].p_value

    assert min(p_of_first(0.4) for _ in range(20)) > 1e-3
    assert max(p_of_first(0.02) for _ in range(20)) < 1e-4


def test_benchmarks_have_no_scores(tmp_path, capsys):
    files = [str(write(tmp_path / name, SIX)) for name in ("a.json", "b.json")]
    assert main(["compare", *files, "--scores-only"]) == 2
    assert "have no scores" in capsys.readouterr().err
