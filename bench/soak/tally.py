"""What became of the requests."""

from collections import Counter
from dataclasses import dataclass, field

_SHOWN = 20


@dataclass
class Tally:
    """Answers by kind of client and outcome. `wrong` are answers that should not be, `lost` requests without one."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def answered(self, kind: str, outcome: object, *, right: bool = True, detail: object = "") -> None:
        """A request of this kind has its answer."""
        self.outcomes[kind, str(outcome)] += 1
        if not right and len(self.wrong) < _SHOWN:
            self.wrong.append(f"{kind}: {outcome} {detail}")

    def unanswered(self, kind: str, error: Exception) -> None:
        """A request has none."""
        self.outcomes[kind, "lost"] += 1
        if len(self.lost) < _SHOWN:
            self.lost.append(f"{kind}: {type(error).__name__}: {error}")

    def of(self, kind: str) -> Counter[str]:
        """Outcomes of one kind."""
        return Counter({outcome: number for (name, outcome), number in self.outcomes.items() if name == kind})

    @property
    def total(self) -> int:
        """Requests that were sent."""
        return sum(self.outcomes.values())
