"""How a model's requests are queued and joined: Triton's `dynamic_batching`, in seconds and rows."""

from dataclasses import dataclass, field
from typing import Any

_SECONDS = 1e-6  # a microsecond, the unit of config.pbtxt


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The queue of one priority level. A size or timeout of 0 is none; `delay_expired` serves late requests last."""

    max_queue_size: int = 0
    default_timeout_seconds: float = 0.0
    allow_timeout_override: bool = False
    delay_expired: bool = False


@dataclass(frozen=True, slots=True)
class BatchingPolicy:
    """When requests are joined and how long they wait for each other.

    `max_batch_size` 0 is a model without a batch axis; `merge` is False where each request runs alone.
    """

    max_batch_size: int = 0
    merge: bool = False
    preferred_batch_sizes: tuple[int, ...] = ()
    max_queue_delay_seconds: float = 0.0
    priority_levels: int = 0
    default_priority_level: int = 0
    default_queue_policy: QueuePolicy = QueuePolicy()
    priority_queue_policies: dict[int, QueuePolicy] = field(default_factory=dict)

    @property
    def levels(self) -> list[QueuePolicy]:
        """One policy per priority, the highest first."""
        count = max(1, self.priority_levels)
        return [self.priority_queue_policies.get(level, self.default_queue_policy) for level in range(1, count + 1)]

    def level_of(self, priority: int) -> int:
        """The index into `levels` for a request's priority; 0 and what is out of range take the default."""
        if not 1 <= priority <= self.priority_levels:
            priority = self.default_priority_level
        return max(0, priority - 1)

    @classmethod
    def from_config(cls, config: Any) -> "BatchingPolicy":
        """The policy of a ModelConfig message."""
        if not config.HasField("dynamic_batching"):
            return cls(max_batch_size=config.max_batch_size)
        batching = config.dynamic_batching
        preferred = tuple(sorted(set(batching.preferred_batch_size)))
        if preferred and preferred[0] < 1:
            raise ValueError(f"preferred_batch_size {list(preferred)} must be 1 or more")
        if preferred and preferred[-1] > config.max_batch_size:
            raise ValueError(f"preferred_batch_size {list(preferred)} is over max_batch_size {config.max_batch_size}")
        levels, default = batching.priority_levels, batching.default_priority_level
        if levels and not 1 <= default <= levels:
            raise ValueError(f"default_priority_level {default} must lie between 1 and priority_levels {levels}")
        return cls(
            max_batch_size=config.max_batch_size,
            merge=config.max_batch_size > 0,
            preferred_batch_sizes=preferred,
            max_queue_delay_seconds=batching.max_queue_delay_microseconds * _SECONDS,
            priority_levels=levels,
            default_priority_level=default,
            default_queue_policy=_queue_policy(batching.default_queue_policy),
            priority_queue_policies={
                level: _queue_policy(policy) for level, policy in batching.priority_queue_policy.items()
            },
        )


def _queue_policy(policy: Any) -> QueuePolicy:
    return QueuePolicy(
        max_queue_size=policy.max_queue_size,
        default_timeout_seconds=policy.default_timeout_microseconds * _SECONDS,
        allow_timeout_override=policy.allow_timeout_override,
        delay_expired=policy.timeout_action == policy.DELAY,
    )
