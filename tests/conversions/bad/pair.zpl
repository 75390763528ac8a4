version = 1.0
apps
    listener
        devices
            main
                type = zmq_queue
                sockets
                    frontend
                        type = SUB
                        bind = tcp://eth0:5555
                    backend
                        bind = tcp://eth0:5556
