"""What makes a running topology a daemon: signals, log, service manager, control socket and watched files."""
