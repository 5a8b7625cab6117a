"""Where two states differ, as short lines, so that a failing trial can be read."""

from .words import canonical


def difference(one, other, path: str = "") -> list[str]:
    """A line for each place; the first state's value stands first."""
    if canonical(one) == canonical(other):
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other}, key=str)
        return [line for name in names for line in difference(one.get(name), other.get(name), f"{path}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = zip(one, other, strict=True)
        return [line for i, (a, b) in enumerate(pairs) for line in difference(a, b, f"{path}[{i}]")]
    return [f"{path}: {canonical(one)} / {canonical(other)}"]
