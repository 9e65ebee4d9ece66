"""Coverage-guided fuzzing of everything that reads a client's bytes, by atheris.

`targets` says what must hold for any bytes, `seeds` has bytes to begin with, `python -m runtime_testing.fuzzing` runs.
"""
