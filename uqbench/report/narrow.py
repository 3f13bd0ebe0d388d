"""Names in columns that are narrower than they are."""

from __future__ import annotations


def on_lines(name: str, width: int) -> str:
    """NAME:field=value,field=value, broken before its fields where it is longer than `width`, never within a word.

    >>> print(on_lines("committee_subset:of=features,share=0.8", 20))
    committee_subset:
      of=features,
      share=0.8
    """
    if len(name) <= width or ":" not in name:
        return name
    plain, _, fields = name.partition(":")
    first, *others = fields.split(",")
    lines = [f"{plain}:", f"  {first}"]
    for field in others:
        lines[-1] += ","
        # One more, for the comma that may follow.
        if len(lines[-1]) + len(field) < width:
            lines[-1] += field
        else:
            lines.append(f"  {field}")
    return "\n".join(lines)
