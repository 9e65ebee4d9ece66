"""What the runtime's tests and benchmarks share: models, a running server, clients. Not part of the package."""
