"""Looking on at what passes a device: reading the copies, and showing them."""
