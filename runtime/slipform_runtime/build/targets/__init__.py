"""What a build makes: one module for each target, `registry` finds it."""
