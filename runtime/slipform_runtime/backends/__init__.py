"""What executes a model. `base` is the interface, `registry` finds the backend that a config names."""
