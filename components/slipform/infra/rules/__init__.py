"""Prometheus' rules about a server and its models, and the tests that prove them.

``kinds`` has the data, ``recording`` and ``burn``, ``health`` make it, ``promtool`` writes rule files and their tests,
``component`` turns them into resources.
"""
