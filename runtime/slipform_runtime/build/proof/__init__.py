"""Whether the artefact still gives the original's answers, and what it costs and saves."""
