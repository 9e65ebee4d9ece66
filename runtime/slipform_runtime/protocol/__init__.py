"""The wire, without I/O: bytes in, tensors out, and back. Bad bytes raise InvalidRequest and nothing else."""
