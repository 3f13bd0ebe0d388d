"""What stands beside the tables: what columns mean, what was run on what, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from uqbench.report.markdown import NONE, escape, number, table
from uqbench.report.ranking import common_machine, time_counts
from uqbench.report.sections import Section
from uqbench.scores.bootstrap import RESAMPLES
from uqbench.scores.comparison import PAIRED_RESAMPLES
from uqbench.suite.record import Record
from uqbench.suite.scoring import BOOTSTRAP_SEED

HOW_TO_READ = f"""\
- **scored**: *raw*, as the method says it; *calibrated*, after one rule for all methods, fitted on clusters that
  no method has seen: σ → a·σ + c with the least CRPS, then one conformal factor for each level.
- **interval score**: width of the 95 % interval plus 40 times the distance by which a value falls outside; lower is
  better, and honest intervals minimise it. Here over that of the calibrated `constant` (one σ for all, the RMSE on
  the training set) on the same structures: below 1, the method knows where the potential errs, if both have the same
  mean. All linear methods have, nearly; of a network they fit the last layer anew, and `constant_network` is what
  methods that keep its own mean have to beat.
- **rank**: going down the table, a row shares the rank of the group above it unless it is significantly worse than
  the first row of that group. Significant: the paired difference of interval scores is not zero, by the larger of the
  p-values of a cluster bootstrap (at least {PAIRED_RESAMPLES:,} resamples, of the clusters that calibrate too) and of
  Student's t on the jackknife over clusters, after Holm's adjustment over all pairs of rows of the table, 5 %
  family-wise error.
- **coverage 95 %**: share of values inside the 95 % interval; 95 is right, more is too wide, less too narrow.
- **stated bounds**: share inside the bounds that the method itself states, and the share it claims (100: an envelope
  that is to hold everything).
- **width / RMSE**: mean width of the 95 % interval over the RMSE (3.92 for Gaussian errors and one σ). **Matched
  width**: the same after the one scaling that makes the coverage 95 %, so that methods compare by sharpness alone.
- **CRPS**: continuous ranked probability score of the Gaussian N(mean, σ²); lower is better. **NLL**: its negative
  log-likelihood. **z²**: mean of (error/σ)², 1 is right; of M members as they are (1 + 1/M)(M - 1)/(M - 3), 2.4 for 5.
- **rank corr.**: Spearman correlation of |error| and σ, beside the value that perfect σ of the same spread would have.
- **cost / bare**: time of a prediction with uncertainty over that of the bare potential on the same structures (a
  network: in one batch, both), median over interleaved repeats, with quartiles. **fit**: wall time of the method's
  fits, all folds. **memory**: peak resident memory of the process. One fit gives energies, forces and stresses: these
  stand in one table.
- **◆** beside a rank: on the Pareto front; among the rows whose times rank (no †), no other is both better in relative
  interval score and cheaper to predict with.
- **cluster-conformal**: intervals whose factor weighs clusters (structures that belong together) and not components;
  they hold for a value of a new cluster, and are wider.
- Intervals in brackets are 95 % cluster-bootstrap intervals. **held out**: kinds of structure no fit has seen.
"""


HOW_TO_SUBMIT = """\
Run the suite with your method, and send its records as a pull request, into the folder `records` beside this page.
`uqbench check-records FOLDER` is what reviewers run: the schema, the hash of the data, and every score computed again
from the raw predictions.
"""


HOW_TO_READ_PROPERTIES = """\
- **simulation results** come from one fit on the whole pool, without the structures their references were computed on,
  or without a whole group of it (extrapolation). **raw**: the posterior as the method gives it. **κ**: its spread about
  the mean scaled by one factor, the conformal factor of the 95 % interval on held-out energies and forces; an additive
  floor does not reach a simulation. Then the 95 % interval is what is stated.
- **claim**: what the method claims of its stated bounds. All or nearly all, for those of a bounded posterior: its ends,
  exact or computed at the corners, where the method's own bounds are its ends; else the envelope of the n draws that
  were carried, which holds another one with probability (n - 1)/(n + 1), 99 % for 200. 95 %, for a posterior without
  bounds. **✓ / ✗**: the reference is inside / outside; **✗ (✓ with ±)**: inside once bounds are widened on each side by
  the reference's own error (± ? where it is not known). **error / width**:
  |prediction − reference| over the width of the stated bounds.
- **samples**: *accepted*, carried without a relaxation of their own; *computed*, relaxed for real; *unstable* or *not
  converged*, without the property: bounds are of the others, and with more than 5 % of them there is no answer.
  **a sample / a real computation**: time of all samples, set-up and all, over that of as many real computations.
- **panel**: results of many materials together, each over its own reference (or error). Widths and error / width are
  medians. The bootstrap draws materials. Where every answer is inside it shows no spread: with no miss among m
  materials, up to 3/m of materials with a miss are compatible (95 %).
"""


def section_notes(section: Section) -> str:
    """Data, split, what symmetry takes out, cost shared by all methods, machine."""
    record = section.first
    data = record.data
    held_out = ", ".join(map(escape, data.held_out)) or "none"
    fold_sizes = "; ".join(
        f"{f.get('train', 0)} / {f.get('calibration', 0)} / {f.get('test', 0)} / {f.get('held_out', 0)}"
        for f in data.folds
    )
    lines = [
        f"{data.n_structures} structures in {data.n_clusters} clusters, elements {escape(', '.join(data.elements))}; "
        f"data `{_hash(data.hash)}`.",
        f"Split: {escape(data.split_scheme)}, `{_hash(data.split_hash)}`; train / calibration / test / held-out "
        f"structures by fold: {fold_sizes}. Held-out kinds of structure: {held_out}.",
    ]
    symmetry = next((r.symmetry for r in section.records if r.symmetry), {})
    zero = [f"{escape(k)} {v['zero']} of {v['n']}" for k, v in symmetry.items()]
    if zero:
        lines.append(
            f"Zero by symmetry, counted and never scored (all parts and folds): {', '.join(zero)} components."
        )
    scales = ", ".join(f"{escape(k)} {number(v)}" for k, v in record.scales.items())
    lines.append(f"Scales by which residuals are weighed in every fit (eV/atom, eV/Å, eV/Å³): {scales}.")
    if any(facts.get("weights") == "stated" for facts in record.facts):
        lines.append(
            "Weights of the kinds are these scales alone (`weights: stated`), not what the evidence finds."
        )
    seconds = [
        s for r in section.records if (s := r.cost.get("backbone", {}).get("train_rows_cpu_s")) is not None
    ]
    if seconds:
        lines.append(
            f"Shared by all methods, on top of their fits: {number(max(seconds))} s of CPU time for the backbone's "
            "rows of the training structures, all folds."
        )
    trained = [
        s for r in section.records if (s := r.cost.get("backbone", {}).get("train_network_cpu_s")) is not None
    ]
    if trained:
        lines.append(
            f"Networks: {number(min(trained))} to {number(max(trained))} s of CPU time to train, by how many a method "
            "has."
        )
    if section.rows:
        machine = common_machine(section.rows)
        unranked = {r.record.cell.method for r in section.rows if not time_counts(r, machine)}
        text = f"Times: {escape(machine)}."
        if unranked:
            text += (
                " Not ranked (†), because the machine was busy with something else, was another one, or nothing "
                f"was measured: {escape(', '.join(sorted(unranked)))}."
            )
        lines.append(text)
    return "".join(f"- {line}\n" for line in lines)


def command(alike: Sequence[Section]) -> str:
    """The command that runs the cells of sections that differ in their datasets alone."""
    cell = alike[0].first.cell
    methods = sorted({r.cell.method for section in alike for r in section.records})
    words = ["python", "-m", "uqbench", "run", "--dataset", *(s.first.cell.dataset for s in alike)]
    words += ["--backbone", cell.backbone]
    words += ["--method", *methods, "--task", cell.task, "--seed", str(cell.seed)]
    words += ["--train-size", f"{cell.train_size:g}", "--device", cell.device]
    return " ".join(shlex.quote(" ".join(word.split())) for word in words)


def reproduction(alike: Sequence[Sequence[Section]], records: Sequence[Record]) -> str:
    """Commands (one for sections that differ in their datasets alone), versions, what was random."""
    commands = "\n".join(map(command, alike))
    seeds = ", ".join(str(s) for s in sorted({r.cell.seed for r in records}))
    versions: dict[str, set[str]] = {}
    for record in records:
        for package, version in record.software.items():
            versions.setdefault(package, set()).add(version)
    software = ", ".join(f"{escape(p)} {escape(' or '.join(sorted(v)))}" for p, v in sorted(versions.items()))
    created = sorted(r.created for r in records)
    models = "@" in commands
    own = " So does a model, with the beginning of its hash; give its path, and --trust." if models else ""
    return (
        f"Records made from {escape(created[0])} to {escape(created[-1])} with {software}. A dataset given by its "
        f"file goes by the file's name here; give its path.{own}\n\n"
        f"```\n{commands}\n```\n\n"
        "What a command does not say (groups held out, scales and weights of labels) is in the `suite.yaml` that the "
        "run wrote: `python -m uqbench run --suite suite.yaml`.\n\n"
        f"Random: the split and every fit, from the seed ({seeds}) and the number of the fold; score intervals "
        f"({RESAMPLES:,} resamples) and comparisons, both from seed {BOOTSTRAP_SEED}. "
        "`python -m uqbench report RECORDS` writes this page again from the records and their raw predictions (packed "
        "records, `.jsonl.xz`, have none of these, and give simulation results alone), with no model run. It "
        "recomputes the values of all scores; intervals of single scores, the attainable correlation and simulation "
        "results, whose samples are not kept, are the record's.\n"
    )


def machines(records: Sequence[Record]) -> str:
    """The machines that times were measured on, and whether a GPU was among them."""
    found: dict[str, Record] = {}
    for record in records:
        found.setdefault(record.machine_class, record)
    rows = []
    for name, record in sorted(found.items()):
        about = record.machine
        pools = "; ".join(
            f"{p.get('library')} {p.get('version')}, {p.get('threads')} threads"
            for p in about.get("thread_pools", [])
        )
        gpu = about.get("gpu") or {}
        memory = about.get("memory_bytes")
        rows.append(
            [
                escape(name),
                escape(str(about.get("system", NONE))),
                NONE if memory is None else number(memory / 1e9),
                escape(pools) or NONE,
                escape(" ".join(map(str, gpu.values()))) or NONE,
                str(sum(r.machine_class == name for r in records)),
            ]
        )
    header = ["machine class", "system", "memory (GB)", "thread pools", "GPU", "records"]
    return f"{table(header, rows, text_columns=5)}\n{gpu_records(records)}\n"


def gpu_records(records: Sequence[Record]) -> str:
    """How many records a GPU has, in words."""
    n = sum(r.cell.device != "cpu" for r in records)
    return f"GPU: {n} records." if n else "GPU: no record."


def _hash(text: str) -> str:
    return escape(text[:16])
