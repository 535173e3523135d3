"""What was changed in a recording, without what it was before."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Changes:
    """Counts of what was done to the fields of a recording.

    Attributes:
        counts: number of values, by field and what was done to it: ``replaced``, ``removed`` or ``shifted``.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, name: str, before: object, after: object, action: str | None = None) -> None:
        """Note a value of a field, if it has changed."""
        if before != after:
            self.counts[name, action or ("replaced" if after else "removed")] += 1

    def __str__(self) -> str:
        """Say the changes in a line."""
        return ", ".join(f"{name} {action} ({count})" for (name, action), count in sorted(self.counts.items()))
