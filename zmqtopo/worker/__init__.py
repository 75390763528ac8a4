"""What holds devices, as threads of one process, and speaks the protocol of the supervisor."""
