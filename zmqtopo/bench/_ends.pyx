# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The two ends of a measurement: loops that send, receive, ask and answer without Python, the GIL free meanwhile.

One thread serves all sockets of an end in turn, a burst each, and sleeps in one poll(2) when all of them are dry: ends
that cost as little as possible leave the machine to what is measured. Every loop gives up when nothing has moved for
``idle`` milliseconds, so that a dead device ends a measurement instead of hanging it.

Messages of MARK_SIZE bytes are marks, not load: they show that a way is open, and that it is empty again.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, EMSGSIZE, ENOMEM, ETIMEDOUT, errno
from libc.stdint cimport INT64_MAX, int64_t, uintptr_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy
from posix.dlfcn cimport RTLD_LAZY, dlerror, dlopen, dlsym
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from zmqtopo.loop.libzmq cimport *


cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    const short POLLIN
    int poll(pollfd *fds, unsigned long nfds, int timeout)


cdef enum:
    MARK_BYTES = 8          # shorter than any load
    STAMP_BYTES = 8         # the time at the head of a request
    BURST = 1000            # messages from one socket before the next has its turn
    FRAMES = 8              # of a request; more are an error
    LARGE = 4096            # bytes from which a look at the clock (25 ns) is nothing beside sending
    SMALL_TURNS = 32        # smaller messages between two looks

cdef struct End:
    void *socket
    int fd
    bint over               # nothing more is awaited here

cdef struct Ends:
    End *items
    pollfd *fds
    int size
    int error

cdef Libzmq zmq

MARK_SIZE = MARK_BYTES


cdef inline int64_t now_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t>t.tv_sec * 1_000_000_000 + t.tv_nsec


cdef inline int64_t deadline_of(double seconds) noexcept nogil:
    return now_ns() + <int64_t>(seconds * 1e9) if seconds > 0 else INT64_MAX


# ---- many sockets --------------------------------------------------------------------------------------------------

cdef int hold(Ends *ends, list sockets) except -1:
    """Note the sockets; `drop` must follow, whatever happens."""
    cdef size_t size = sizeof(int)
    cdef uintptr_t handle
    cdef int i
    ends.error = 0
    ends.size = len(sockets)
    ends.items = <End *>calloc(ends.size, sizeof(End))
    ends.fds = <pollfd *>calloc(ends.size, sizeof(pollfd))
    if ends.items == NULL or ends.fds == NULL:
        raise MemoryError
    for i in range(ends.size):
        handle = sockets[i]
        ends.items[i].socket = <void *>handle
        if zmq.getsockopt(ends.items[i].socket, OPT_FD, &ends.items[i].fd, &size) < 0:
            raise ValueError("not an open socket")
    return 0


cdef void drop(Ends *ends) noexcept:
    free(ends.items)
    free(ends.fds)


cdef int sleep(Ends *ends, int idle) noexcept nogil:
    """Wait until a socket that is not over can receive: 0, or -1 with the error, which is ETIMEDOUT after ``idle``.

    A descriptor turns readable when a peer has signalled since the last look at OPT_EVENTS, so all are looked at first.
    """
    cdef int i, rc, events = 0, count = 0
    cdef size_t size = sizeof(events)
    for i in range(ends.size):
        if ends.items[i].over:
            continue
        while zmq.getsockopt(ends.items[i].socket, OPT_EVENTS, &events, &size) < 0:
            if zmq.zmq_errno() != EINTR:
                ends.error = zmq.zmq_errno()
                return -1
        if events & CAN_RECEIVE:
            return 0
        ends.fds[count].fd = ends.items[i].fd
        ends.fds[count].events = POLLIN
        count += 1
    rc = poll(ends.fds, count, idle)
    if rc == 0:
        ends.error = ETIMEDOUT
        return -1
    if rc < 0 and errno != EINTR:
        ends.error = errno
        return -1
    return 0


cdef inline int take(zmq_msg_t *msg, void *socket, int flags) noexcept nogil:
    """Receive a frame: 0 or the error."""
    while zmq.msg_recv(msg, socket, flags) < 0:
        if zmq.zmq_errno() != EINTR:
            return zmq.zmq_errno()
    return 0


cdef inline int give(zmq_msg_t *msg, void *socket, int flags) noexcept nogil:
    """Send a frame, which is empty afterwards: 0 or the error."""
    while zmq.msg_send(msg, socket, flags) < 0:
        if zmq.zmq_errno() != EINTR:
            return zmq.zmq_errno()
    return 0


cdef inline int take_last(zmq_msg_t *msg, void *socket) noexcept nogil:
    """Receive a message and keep its last frame, which is the load whatever a broker has put before it."""
    cdef int err = take(msg, socket, DONTWAIT)
    while err == 0 and zmq.msg_more(msg):
        err = take(msg, socket, DONTWAIT)
    return err


# ---- one way -------------------------------------------------------------------------------------------------------

def send(uintptr_t socket, list messages not None, int64_t most, double seconds):
    """Send these messages in turn until there were ``most`` or the time is over (0: no limit of time).

    Large ones are not copied: libzmq counts who uses them. Blocks as SNDTIMEO says. Returns (sent, errno).
    """
    cdef int i, at = 0, err = 0, size = len(messages)
    cdef int64_t sent = 0, turns, deadline = deadline_of(seconds)
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
    with nogil:
        while err == 0 and sent < most and (sent % turns or now_ns() < deadline):
            zmq.msg_copy(&msg, &texts[at])
            err = give(&msg, <void *>socket, 0)
            if err == 0:
                sent += 1
                at = at + 1 if at + 1 < size else 0
        zmq.msg_close(&msg)
        for i in range(size):
            zmq.msg_close(&texts[i])
    free(texts)
    return sent, err


def receive(list sockets not None, bytes mark not None, int idle):
    """Count messages until this mark has come to every socket; other marks are passed over.

    Returns (messages, first, last, errno), times in nanoseconds of the monotonic clock.
    """
    cdef Ends ends
    cdef zmq_msg_t msg
    cdef char *end = PyBytes_AsString(mark)
    cdef int64_t count = 0, before, first = 0, last = 0
    cdef int i, turn, err, left
    cdef bint moved
    if len(mark) != MARK_BYTES:
        raise ValueError(f"a mark has {MARK_BYTES} bytes")
    try:
        hold(&ends, sockets)
        with nogil:
            zmq.msg_init(&msg)
            left = ends.size
            while left and not ends.error:
                moved = False
                for i in range(ends.size):
                    before = count
                    turn = 0
                    while turn < BURST and not ends.items[i].over:
                        err = take_last(&msg, ends.items[i].socket)
                        if err != 0:
                            if err != EAGAIN:
                                ends.error = err
                            break
                        turn += 1
                        if zmq.msg_size(&msg) != MARK_BYTES:
                            if count == 0:
                                first = now_ns()
                            count += 1
                        elif memcmp(zmq.msg_data(&msg), end, MARK_BYTES) == 0:
                            ends.items[i].over = True
                            left -= 1
                    if turn:
                        moved = True
                    if count != before:
                        last = now_ns()
                if left and not moved and not ends.error:
                    sleep(&ends, idle)
            zmq.msg_close(&msg)
        return count, first, last, ends.error
    finally:
        drop(&ends)


# ---- there and back ------------------------------------------------------------------------------------------------

cdef struct Asking:
    int64_t most
    int64_t deadline
    int64_t sent
    int64_t answered
    int64_t *times          # nanoseconds from each request to its reply
    int64_t room


cdef int put_question(Asking *asking, void *socket, const char *head, size_t head_size, const char *load,
                      size_t load_size) noexcept nogil:
    """Send the two frames of a request, the second with the time at its head: 0 or the error."""
    cdef zmq_msg_t msg
    cdef int err
    cdef int64_t now
    if zmq.msg_init_size(&msg, head_size) < 0:
        return ENOMEM
    memcpy(zmq.msg_data(&msg), head, head_size)
    err = give(&msg, socket, DONTWAIT | SNDMORE)
    if err == 0:
        if zmq.msg_init_size(&msg, load_size) < 0:
            return ENOMEM
        memcpy(zmq.msg_data(&msg), load, load_size)
        now = now_ns()
        memcpy(zmq.msg_data(&msg), &now, STAMP_BYTES)
        err = give(&msg, socket, DONTWAIT)
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
    cdef bint moved
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
                        ends.error = put_question(&asking, ends.items[i].socket, texts[i], sizes[i], body, size)
            while asking.answered < asking.sent and not ends.error:
                moved = False
                for i in range(ends.size):
                    left = BURST
                    err = 0
                    while left and err == 0:
                        err = take_last(&msg, ends.items[i].socket)
                        if err != 0 or zmq.msg_size(&msg) == MARK_BYTES:
                            continue
                        left -= 1
                        err = note_answer(&asking, &msg)
                        last = now_ns()
                        if err == 0 and asking.sent < most and last < asking.deadline:
                            ends.error = put_question(&asking, ends.items[i].socket, texts[i], sizes[i], body, size)
                    moved = moved or left < BURST
                    if err != 0 and err != EAGAIN:
                        ends.error = err
                if not moved and not ends.error:
                    sleep(&ends, idle)
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
    return err


def answer(list sockets not None):
    """Send back what comes, as it is, until the context ends; returns the errno that ended it."""
    cdef Ends ends
    cdef zmq_msg_t frames[FRAMES]
    cdef int i, k, left, err
    cdef bint moved
    try:
        hold(&ends, sockets)
        with nogil:
            for k in range(FRAMES):
                zmq.msg_init(&frames[k])
            while not ends.error:
                moved = False
                for i in range(ends.size):
                    left = BURST
                    err = 0
                    while left and err == 0:
                        err = echo(ends.items[i].socket, frames)
                        left -= err == 0
                    moved = moved or left < BURST
                    if err != 0 and err != EAGAIN:
                        ends.error = err
                if not moved and not ends.error:
                    sleep(&ends, -1)
            for k in range(FRAMES):
                zmq.msg_close(&frames[k])
        return ends.error
    finally:
        drop(&ends)


# ---- libzmq --------------------------------------------------------------------------------------------------------

cdef void *symbol(void *library, bytes name, str path) except NULL:
    cdef void *address = dlsym(library, <char *>name)
    if address == NULL:
        raise ImportError(f"{path} does not export {name.decode()}: zmqtopo needs pyzmq on a shared libzmq")
    return address


def load(str path not None):
    """Fill the function table from the shared object at ``path``, which must be loaded already, as the loop does.

    Raises ImportError when it, or a library that it has loaded, does not export one of libzmq's functions.
    """
    cdef void *library = dlopen(path.encode(), RTLD_LAZY)
    if library == NULL:
        raise ImportError(f"cannot open {path}: {dlerror().decode()}")
    zmq.zmq_errno = <int (*)() noexcept nogil>symbol(library, b"zmq_errno", path)
    zmq.getsockopt = <int (*)(void *, int, void *, size_t *) noexcept nogil>symbol(library, b"zmq_getsockopt", path)
    zmq.msg_init = <int (*)(zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_init", path)
    zmq.msg_init_size = <int (*)(zmq_msg_t *, size_t) noexcept nogil>symbol(library, b"zmq_msg_init_size", path)
    zmq.msg_recv = <int (*)(zmq_msg_t *, void *, int) noexcept nogil>symbol(library, b"zmq_msg_recv", path)
    zmq.msg_send = <int (*)(zmq_msg_t *, void *, int) noexcept nogil>symbol(library, b"zmq_msg_send", path)
    zmq.msg_close = <int (*)(zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_close", path)
    zmq.msg_copy = <int (*)(zmq_msg_t *, zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_copy", path)
    zmq.msg_more = <int (*)(const zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_more", path)
    zmq.msg_data = <void *(*)(zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_data", path)
    zmq.msg_size = <size_t (*)(const zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_size", path)
