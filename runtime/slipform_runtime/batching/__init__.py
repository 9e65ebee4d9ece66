"""Dynamic batching: the policy, the queue as a state machine without clock or I/O, and what drives it."""
