"""What passes each device of running topologies, once a second, on a screen or as lines."""
