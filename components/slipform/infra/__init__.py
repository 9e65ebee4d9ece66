"""Pulumi components: typed, documented resources made from a spec and its engine's answers."""
