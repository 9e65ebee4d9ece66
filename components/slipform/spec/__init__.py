"""The model spec and the stack config: typed, checked plain data that knows nothing of Pulumi."""
