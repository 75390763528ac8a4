main
	type = zmq_queue
