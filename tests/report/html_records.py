"""Records for the HTML page: hostile names, several datasets and machines, simulation results, a failure."""

from pathlib import Path

from property_records import nothing, part, property_record, scaled
from synthetic_records import FAST, failed, make_record, make_table, write

from uqbench.suite.bundle import write_bundle

SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>&lt;%{x}"
SLOW = {**FAST, "predict": {"ratio_to_bare": 4.0, "ratio_quartiles": [3.5, 5.0]}}
BUSY = {**SLOW, "contended": True}


def of_dataset(record, dataset, data_hash="data", machine="a machine"):
    """The same record as if of another dataset and machine."""
    cell = record.cell.model_copy(update={"dataset": dataset})
    data = record.data.model_copy(update={"hash": data_hash})
    update = {"cell": cell, "data": data, "machine_class": machine}
    return record.model_copy(update={**update, "cell_id": f"{dataset}/{record.cell_id}"})


def write_records(folder: Path) -> None:
    """Five methods on one dataset, one of them on another, two properties of two methods, a failure."""
    schemes = {"constant": "constant", "good": "true", "shuffled": "shuffled", SCRIPT: "true", IMAGE: "true"}
    for number, (method, scheme) in enumerate(schemes.items()):
        tables = make_table(scheme, std_only=method != "good")
        cost = [FAST, SLOW, BUSY, SLOW, FAST][number]
        record = make_record(method, tables).model_copy(update={"cost": cost})
        write(folder, f"toy{number}", record, tables)
    tables = make_table("true")
    other = of_dataset(make_record("good", tables), f"other {SCRIPT}", "other", "another machine")
    write(folder, "other", other, tables)
    write(folder, "sad", failed("sad", f"broke: {SCRIPT}"), None)
    bulk, energy = part(), part("vacancy_formation_energy", 0.65, 0.62, 0.05, unit="eV")
    found = [
        property_record("good", [bulk, scaled(bulk, 2.0), energy]),
        property_record(SCRIPT, [part(value=130.0), nothing(energy, "unstable")]),
    ]
    write_bundle(found, folder / "properties.jsonl.xz")
