#   One application, as in the examples that people copied
version = 1.0
apps
    listener
        context
            iothreads = 1
            verbose = 0         #   No trace
        devices
            main
                type = zmq_forwarder
                sockets
                    frontend
                        type = SUB
                        option
                            hwm = 1000
                            swap = 25000000
                            subscribe = "#2"
                            subscribe = 'it is "so"'   # quoted
                            mcast_loop = 0
                        bind = tcp://eth0:5555
                        bind = inproc://device
                    backend
                        bind = tcp://eth0:5556
