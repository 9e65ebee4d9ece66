"""The first hours: a repository of one's own, and the first spec from a model's file."""
