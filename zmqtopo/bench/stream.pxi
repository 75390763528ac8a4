# Messages one way: those who send them and those who count them. Part of _ends.pyx.

def send(uintptr_t socket, list messages not None, int64_t most, double seconds):
    """Send these messages in turn, one at least, until there were ``most`` or the time is over (0: no limit of time).

    Large ones are not copied: libzmq counts who uses them. Blocks as SNDTIMEO says. Returns (sent, first, errno), with
    the nanoseconds of the monotonic clock at which the first went.
    """
    cdef int i, at = 0, err = 0, size = len(messages)
    cdef int64_t sent = 0, turns, first, deadline
    cdef size_t length = 0
    cdef bytes text
    cdef zmq_msg_t msg
    cdef zmq_msg_t *texts = <zmq_msg_t *>calloc(size, sizeof(zmq_msg_t))
    if texts == NULL:
        raise MemoryError
    for i in range(size):
        text = messages[i]
        length = len(text)
        if zmq.msg_init_size(&texts[i], length) < 0:
            err = ENOMEM
            size = i
            break
        memcpy(zmq.msg_data(&texts[i]), PyBytes_AsString(text), length)
    zmq.msg_init(&msg)
    turns = 1 if length >= LARGE else SMALL_TURNS
    first = now_ns()
    deadline = deadline_of(seconds)
    with nogil:
        while err == 0 and sent < most and (sent == 0 or sent % turns or now_ns() < deadline):
            zmq.msg_copy(&msg, &texts[at])
            err = give(&msg, <void *>socket, 0)
            if err == 0:
                sent += 1
                at = at + 1 if at + 1 < size else 0
        zmq.msg_close(&msg)
        for i in range(size):
            zmq.msg_close(&texts[i])
    free(texts)
    return sent, first, err


def receive(list sockets not None, bytes mark not None, int idle, bytearray times=None):
    """Count messages until this mark has come to every socket; other marks are passed over.

    ``times`` has a 64-bit number for each class of times, of which there are TIME_CLASSES: messages are of `send_at`,
    and are counted there by how long they were on their way.

    Returns (messages, last, errno), with the nanoseconds of the monotonic clock at which the last had come.
    """
    cdef Ends ends
    cdef zmq_msg_t msg
    cdef char *end = PyBytes_AsString(mark)
    cdef int64_t count = 0, before, last = 0
    cdef int i, left, open, err = 0
    cdef int64_t *counts = NULL
    if times is not None:
        if PyByteArray_Size(times) != CLASSES * sizeof(int64_t):
            raise ValueError("no place for every class of times")
        counts = <int64_t *>PyByteArray_AsString(times)
    if len(mark) != MARK_BYTES:
        raise ValueError(f"a mark has {MARK_BYTES} bytes")
    try:
        hold(&ends, sockets)
        with nogil:
            zmq.msg_init(&msg)
            open = ends.size
            while open and not ends.error:
                ends.any = False
                for i in range(ends.size):
                    if not ends.stirred[i]:
                        continue
                    before = count
                    left = BURST
                    while left:
                        err = take_last(&msg, ends.sockets[i])
                        if err != 0:
                            break
                        left -= 1
                        if zmq.msg_size(&msg) != MARK_BYTES:
                            count += 1
                            if counts != NULL:
                                note_time(counts, &msg)
                        elif memcmp(zmq.msg_data(&msg), end, MARK_BYTES) == 0:
                            ends.fds[i].fd = -1
                            open -= 1
                            break
                    if count != before:
                        last = now_ns()
                    served(&ends, i, left, err)
                if open and not ends.error:
                    ends.error = process_events(&ends, idle)
            zmq.msg_close(&msg)
        return count, last, ends.error
    finally:
        drop(&ends)
