"""What a model's file says of itself. Nothing is run, unpickled or loaded: only what stands in the file is read."""
