"""JSON, ZPL and XML to one tree of items with their lines."""
