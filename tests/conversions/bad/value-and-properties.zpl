version = 1.0
    minor = 2
