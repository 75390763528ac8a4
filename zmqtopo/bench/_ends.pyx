# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The two ends of a measurement: loops that send, receive, ask and answer without Python, the GIL free meanwhile.

One thread serves the sockets of an end that have stirred, in turn, a burst each, and sleeps in one poll(2) when all are
dry: ends that cost as little as possible leave the machine to what is measured. Every loop gives up when nothing has
moved for ``idle`` milliseconds, so that a dead device ends a measurement instead of hanging it.

Messages of MARK_SIZE bytes are marks, not load: they show that a way is open, and that it is empty again.
"""

from cpython.bytearray cimport PyByteArray_AsString, PyByteArray_Size
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, EMSGSIZE, ENOMEM, ETIMEDOUT, errno
from libc.stdint cimport INT64_MAX, int64_t, uintptr_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy

from zmqtopo.loop.clock cimport CLOCK_MONOTONIC, clock_gettime, timespec
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

cdef struct Ends:
    void **sockets
    pollfd *fds             # of each socket; -1 when nothing more is awaited there
    bint *stirred           # and whether it may have something
    int size
    bint any                # has stirred
    int error

MARK_SIZE = MARK_BYTES


include "../loop/load_libzmq.pxi"


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
    ends.any = True
    ends.size = len(sockets)
    ends.sockets = <void **>calloc(ends.size, sizeof(void *))
    ends.fds = <pollfd *>calloc(ends.size, sizeof(pollfd))
    ends.stirred = <bint *>calloc(ends.size, sizeof(bint))
    if ends.sockets == NULL or ends.fds == NULL or ends.stirred == NULL:
        raise MemoryError
    for i in range(ends.size):
        handle = sockets[i]
        ends.sockets[i] = <void *>handle
        ends.stirred[i] = True
        ends.fds[i].events = POLLIN
        if zmq.getsockopt(ends.sockets[i], OPT_FD, &ends.fds[i].fd, &size) < 0:
            raise ValueError("not an open socket")
    return 0


cdef void drop(Ends *ends) noexcept:
    free(ends.sockets)
    free(ends.fds)
    free(ends.stirred)


cdef int process_events(Ends *ends, int idle) noexcept nogil:
    """Note which sockets have stirred, and wait for one if none has: 0 or the error, ETIMEDOUT after ``idle``.

    A descriptor turns readable when a peer has signalled something that the socket has not taken in yet. A receive
    that finds nothing has taken in all, so a socket that was served until then can be left until its descriptor tells.
    """
    cdef int i, rc = poll(ends.fds, ends.size, 0 if ends.any else idle)
    if rc == 0 and not ends.any:
        return ETIMEDOUT
    if rc < 0:
        return 0 if errno == EINTR else errno
    for i in range(ends.size):
        if ends.fds[i].revents:
            ends.stirred[i] = True
    return 0


cdef inline void served(Ends *ends, int i, int left, int err) noexcept nogil:
    """Note how a socket's turn has ended: with ``left`` of its burst, and 0 or the error of its last receive."""
    ends.stirred[i] = left == 0 and ends.fds[i].fd >= 0
    ends.any = ends.any or ends.stirred[i]
    if err != 0 and err != EAGAIN:
        ends.error = err


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


include "paced.pxi"
include "stream.pxi"
include "requests.pxi"
