version = one
