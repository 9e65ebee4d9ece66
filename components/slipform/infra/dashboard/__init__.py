"""What a person looks at when a model is slow, wrong or gone: a Grafana dashboard for each server."""
