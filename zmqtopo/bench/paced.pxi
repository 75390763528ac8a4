# Messages at a fixed rate, each with the time at which it was to go as its last 8 bytes. Part of _ends.pyx.

cdef extern from "time.h" nogil:
    int nanosleep(const timespec *request, timespec *remain)

cdef enum:
    SUBCLASSES = 32         # of times between two powers of two: a time is known within 1/32
    CLASSES = 1888          # for all times of 63 bits

TIME_CLASSES = CLASSES


cdef inline int class_of(int64_t ns) noexcept nogil:
    """The class of a time: `time_of` in actors.py is the way back."""
    cdef int shift = 0
    if ns < 0:
        return 0
    while ns >> shift >= 2 * SUBCLASSES:
        shift += 1
    return shift * SUBCLASSES + <int>(ns >> shift)


cdef inline void sleep_until(int64_t due) noexcept nogil:
    """Sleep until this time has come; a sleep lasts longer by some 60 microseconds, and the messages due go together."""
    cdef timespec rest
    cdef int64_t left = due - now_ns()
    while left > 0:
        rest.tv_sec = left // 1_000_000_000
        rest.tv_nsec = left % 1_000_000_000
        nanosleep(&rest, NULL)
        left = due - now_ns()


def send_at(uintptr_t socket, list messages not None, int64_t most, double seconds, double rate):
    """As `send`, but so many a second: message n goes n/rate seconds after the first, or at once when that is past.

    Its last 8 bytes are the time when it was to go, so that what waits for its turn here counts as late.
    """
    cdef int i, err = 0, at = 0, size = len(messages)
    cdef int64_t sent = 0, first = now_ns(), due = first, deadline = INT64_MAX
    cdef size_t length
    cdef char **texts = <char **>calloc(size, sizeof(char *))
    cdef size_t *lengths = <size_t *>calloc(size, sizeof(size_t))
    cdef zmq_msg_t msg
    if texts == NULL or lengths == NULL:
        free(texts)
        free(lengths)
        raise MemoryError
    if seconds > 0:
        deadline = first + <int64_t>(seconds * 1e9)
    for i in range(size):
        texts[i] = PyBytes_AsString(messages[i])
        lengths[i] = len(messages[i])
    with nogil:
        while sent < most and (sent == 0 or due < deadline):
            sleep_until(due)
            length = lengths[at]
            if zmq.msg_init_size(&msg, length) < 0:
                err = ENOMEM
                break
            memcpy(zmq.msg_data(&msg), texts[at], length)
            memcpy(<char *>zmq.msg_data(&msg) + length - STAMP_BYTES, &due, STAMP_BYTES)
            err = give(&msg, <void *>socket, 0)
            zmq.msg_close(&msg)
            if err != 0:
                break
            sent += 1
            at = at + 1 if at + 1 < size else 0
            due = first + <int64_t>(sent * 1e9 / rate)
    free(texts)
    free(lengths)
    return sent, first, err


cdef inline void note_time(int64_t *times, zmq_msg_t *msg) noexcept nogil:
    """Count how long a message of `send_at` was on its way."""
    cdef int64_t due = 0
    memcpy(&due, <char *>zmq.msg_data(msg) + zmq.msg_size(msg) - STAMP_BYTES, STAMP_BYTES)
    times[class_of(now_ns() - due)] += 1
