"""The model repository: its layout on disk, each model's config, and the versions that are loaded."""
