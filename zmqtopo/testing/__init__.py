"""Topologies for tests: at addresses that nobody else has, and as a pytest fixture."""
