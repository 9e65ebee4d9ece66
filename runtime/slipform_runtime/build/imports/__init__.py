"""Models of other formats become ONNX: one module for each format, `registry` finds it."""
