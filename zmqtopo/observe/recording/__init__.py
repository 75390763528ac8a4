"""Recordings of messages in MCAP files: written through the tap, read, sent again, cut and exported."""
