"""What tests/chaos.py is made of."""
