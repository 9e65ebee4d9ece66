"""What a change does to the costs of a stack."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import NOTHING, Figures, ServerCost, StackCost, total


@dataclass(frozen=True)
class ServerChange:
    """One server whose cost changes; None on the side where it is not there."""

    name: str
    before: ServerCost | None
    after: ServerCost | None

    @property
    def is_comparable(self) -> bool:
        """Not where one side is not known: what becomes known costs no more than it did."""
        return not any(side is not None and side.unknown for side in (self.before, self.after))

    @property
    def increase(self) -> Figures:
        """Negative where it costs less; nothing where that is not known."""
        before, after = (side.monthly if side is not None else NOTHING for side in (self.before, self.after))
        return difference(before, after) if self.is_comparable else NOTHING


@dataclass(frozen=True)
class CostChange:
    """The costs before and after, and the servers of which they differ, by name."""

    before: StackCost
    after: StackCost
    servers: tuple[ServerChange, ...]

    @property
    def increase(self) -> Figures:
        return total(server.increase for server in self.servers)

    def __bool__(self) -> bool:
        return bool(self.servers)


def compare(before: StackCost, after: StackCost) -> CostChange:
    """What is in another currency afterwards can't be compared: then nothing is said to have changed."""
    old, new = ({server.name: server for server in side.servers} for side in (before, after))
    servers = (ServerChange(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys()))
    comparable = before.currency == after.currency or not before.servers or not after.servers
    return CostChange(before, after, tuple(each for each in servers if comparable and each.before != each.after))


def difference(before: Figures, after: Figures) -> Figures:
    """How much more it is afterwards."""
    known = None if before.expected is None or after.expected is None else after.expected - before.expected
    return Figures(after.least - before.least, known, after.most - before.most)
