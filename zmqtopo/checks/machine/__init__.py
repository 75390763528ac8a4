"""Rules that ask this machine, which open sockets and resolve names; only ``up`` and ``validate --probe`` run them."""
