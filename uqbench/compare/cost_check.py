"""Are the costs of a record numbers that can be compared? They follow from nothing, so that only this can be asked."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from uqbench.suite.record import Record

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Predict(_Part):
    ratio_to_bare: Positive
    ratio_quartiles: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    bare_us_per_atom: Positive
    repeats: Annotated[int, Field(gt=0)] | None = None

    @field_validator("ratio_quartiles")
    @classmethod
    def _ascend(cls, quartiles: list[float]) -> list[float]:
        if quartiles[0] > quartiles[1]:
            raise ValueError("the lower quartile is above the upper")
        return quartiles


class _Fit(_Part):
    cpu_s: Amount


class _Costs(_Part):
    predict: _Predict | None = None
    fit: list[_Fit] = []
    peak_resident_bytes: Amount | None = None
    resident_bytes_before: Amount | None = None
    peak_device_bytes: Amount | None = None

    @field_validator("predict", mode="before")
    @classmethod
    def _untimed(cls, given: Any) -> Any:
        return None if given == {} else given


class _Pool(_Part):
    threads: Annotated[int, Field(gt=0)]


class _Machine(_Part):
    thread_pools: list[_Pool] = []


def cost_problem(record: Record) -> str:
    """What is wrong with a record's time, memory or numbers of threads, naming field and value; empty if nothing is."""
    for field, model in (("cost", _Costs), ("machine", _Machine)):
        try:
            model.model_validate(getattr(record, field))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join((field, *(str(p) for p in first["loc"])))
            found = (
                "missing" if first["type"] == "missing" else f"{str(first['input'])[:40]} ({first['msg']})"
            )
            return f"{where} is {found}; run the cell again"
    return ""
