"""Topologies as pictures, in languages that other programs draw."""
