"""What is seen of a running topology: it reads shared counters and asks the control socket, and slows no message."""
