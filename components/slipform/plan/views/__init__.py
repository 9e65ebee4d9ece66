"""The views of a graph, one a file. Each is made from the graph alone."""
