"""The JSON of FairMQ: its programs, their channels, and which of them a device can be."""
