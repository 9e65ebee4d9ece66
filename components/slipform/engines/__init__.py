"""Serving engines: what each needs, as plain data. ``base`` has the interface, ``registry`` finds the engines."""
