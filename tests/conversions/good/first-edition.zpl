context
    iothreads = 1
    verbose = 1

on
    type = zmq_streamer
    frontend
        option
            hwm = 1000
        bind = tcp://eth0:5555
    backend
        option
            hwm = 1000
            linger = 0
            reconnect_ivl = 500
        bind = tcp://eth0:5556
