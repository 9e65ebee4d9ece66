"""What a stack's models cost: arithmetic on specs, a stack's config and public prices; knows nothing of Pulumi."""
