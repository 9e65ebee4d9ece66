"""Number formats: each module makes one of them from a float32 graph, in the graph itself."""
