"""Stand-ins for the providers' servers: real HTTP on loopback, one deterministic store, a clock.

The sandbox is an independent reading of the providers' contracts. It imports nothing of the rest of the project (and
no Django), and nothing but its command imports it. Start it with `manage.py sandbox` or `python -m runs.sandbox`; tests
use `runs.sandbox.server.Sandbox`.
"""
