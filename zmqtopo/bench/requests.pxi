# Requests and their replies: those who ask and those who answer. Part of _ends.pyx.

cdef struct Asking:
    int64_t most
    int64_t deadline
    int64_t sent
    int64_t answered
    int64_t *times          # nanoseconds from each request to its reply
    int64_t room


cdef int put_question(Asking *asking, void *socket, const char *head, size_t head_size, const char *load,
                      size_t load_size) noexcept nogil:
    """Send the two frames of a request, the second with the time at its head: 0 or the error.

    It waits for room, in which marks may be yet. What comes back has room meanwhile, and is none of the time that it
    measures.
    """
    cdef zmq_msg_t msg
    cdef int err
    cdef int64_t now
    if zmq.msg_init_size(&msg, head_size) < 0:
        return ENOMEM
    memcpy(zmq.msg_data(&msg), head, head_size)
    err = give(&msg, socket, SNDMORE)
    if err == 0:
        if zmq.msg_init_size(&msg, load_size) < 0:
            return ENOMEM
        memcpy(zmq.msg_data(&msg), load, load_size)
        now = now_ns()
        memcpy(zmq.msg_data(&msg), &now, STAMP_BYTES)
        err = give(&msg, socket, 0)
    zmq.msg_close(&msg)
    if err == 0:
        asking.sent += 1
    return err


cdef int note_answer(Asking *asking, zmq_msg_t *msg) noexcept nogil:
    """Keep how long it took: 0 or the error."""
    cdef int64_t stamp = 0
    cdef void *more
    if asking.answered == asking.room:
        more = realloc(asking.times, 2 * (asking.room + 512) * sizeof(int64_t))
        if more == NULL:
            return ENOMEM
        asking.times = <int64_t *>more
        asking.room = 2 * (asking.room + 512)
    memcpy(&stamp, zmq.msg_data(msg), STAMP_BYTES)
    asking.times[asking.answered] = now_ns() - stamp
    asking.answered += 1
    return 0


def ask(list sockets not None, list heads not None, bytes load not None, int window, int64_t most, double seconds,
        int idle):
    """Keep ``window`` requests of each socket on their way until there were ``most`` or the time is over.

    A request is the socket's head and ``load``, whose first 8 bytes give way to the time; at least these 8 bytes and
    one more. Returns (times, first, last, errno): the bytes of an int64 for each reply, the nanoseconds that it took,
    and the beginning and end of it all on the monotonic clock, after the last reply.
    """
    cdef Ends ends
    cdef Asking asking
    cdef zmq_msg_t msg
    cdef const char *texts[1024]
    cdef size_t sizes[1024]
    cdef char *body = PyBytes_AsString(load)
    cdef size_t size = len(load)
    cdef int64_t first, last
    cdef int i, left, err
    if len(heads) != len(sockets) or len(heads) > 1024 or size <= STAMP_BYTES:
        raise ValueError("each of up to 1024 sockets needs a head, and a load more than 8 bytes")
    for i in range(len(heads)):
        texts[i] = PyBytes_AsString(heads[i])
        sizes[i] = len(heads[i])
    asking.most = most
    asking.deadline = deadline_of(seconds)
    asking.sent = asking.answered = asking.room = 0
    asking.times = NULL
    try:
        hold(&ends, sockets)
        with nogil:
            zmq.msg_init(&msg)
            first = last = now_ns()
            while asking.sent < most and asking.sent < <int64_t>window * ends.size and not ends.error:
                for i in range(ends.size):
                    if asking.sent < most and not ends.error:
                        ends.error = put_question(&asking, ends.sockets[i], texts[i], sizes[i], body, size)
            while asking.answered < asking.sent and not ends.error:
                ends.any = False
                for i in range(ends.size):
                    if not ends.stirred[i]:
                        continue
                    left = BURST
                    err = 0
                    while left and err == 0 and not ends.error:
                        err = take_last(&msg, ends.sockets[i])
                        if err != 0 or zmq.msg_size(&msg) == MARK_BYTES:
                            continue
                        left -= 1
                        err = note_answer(&asking, &msg)
                        last = now_ns()
                        if err == 0 and asking.sent < most and last < asking.deadline:
                            ends.error = put_question(&asking, ends.sockets[i], texts[i], sizes[i], body, size)
                    served(&ends, i, left, err)
                if asking.answered < asking.sent and not ends.error:
                    ends.error = process_events(&ends, idle)
            zmq.msg_close(&msg)
        times = PyBytes_FromStringAndSize(<char *>asking.times, asking.answered * sizeof(int64_t))
        return times, first, last, ends.error
    finally:
        free(asking.times)
        drop(&ends)


cdef int echo(void *socket, zmq_msg_t *frames) noexcept nogil:
    """Send a message back to where it came from: 0 or the error, EAGAIN when there is none."""
    cdef int k, count = 1
    cdef int err = take(&frames[0], socket, DONTWAIT)
    while err == 0 and zmq.msg_more(&frames[count - 1]):
        err = take(&frames[count], socket, DONTWAIT) if count < FRAMES else EMSGSIZE
        count += 1
    for k in range(count):
        if err == 0:
            err = give(&frames[k], socket, SNDMORE if k + 1 < count else 0)
            if err == EAGAIN:       # it has waited as long as SNDTIMEO says, and is not dry
                err = ETIMEDOUT
    return err


def answer(list sockets not None):
    """Send back what comes, as it is, until the context ends; returns the errno that ended it.

    That is ETIMEDOUT when nobody took what was sent back for as long as SNDTIMEO says.
    """
    cdef Ends ends
    cdef zmq_msg_t frames[FRAMES]
    cdef int i, k, left, err
    try:
        hold(&ends, sockets)
        with nogil:
            for k in range(FRAMES):
                zmq.msg_init(&frames[k])
            while not ends.error:
                ends.any = False
                for i in range(ends.size):
                    if not ends.stirred[i]:
                        continue
                    left = BURST
                    err = 0
                    while left and err == 0:
                        err = echo(ends.sockets[i], frames)
                        left -= err == 0
                    served(&ends, i, left, err)
                if not ends.error:
                    ends.error = process_events(&ends, -1)
            for k in range(FRAMES):
                zmq.msg_close(&frames[k])
        return ends.error
    finally:
        drop(&ends)
