"""ZDCF and the XML of libzmq 2: what both say is one model, and that becomes a topology file."""
