"""Stand-ins for Pulumi's provider plugins, for machines that cannot download the real ones. Only for tests.

They speak the engine's own provider protocol, so everything above them is real: the engine, the language host, the
program, the state. `kubernetes` applies to a real API server as the real plugin does; `aws` only records.
"""
