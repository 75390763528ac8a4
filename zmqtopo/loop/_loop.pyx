# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The broker loop: whole messages between two sockets, both ways, with copies for a third.

One step moves a burst of messages in each direction that is not idle. After so much work the loop looks at the control
socket; when both directions are idle it sleeps, in one poll(2) on every socket, until one becomes ready. Sends never
wait: a direction whose destination is full keeps its messages pending and is idle, while the other direction goes on.

The parts: libzmq.pxd is the C interface, load_libzmq.pxi fills it, state.pxd is what the loop keeps, message.pxi how
one message goes, tap.pxi who looks on, subscriptions.pxi who wants any, sleep.pxi how the loop waits. They are included, not imported, so
that the C compiler sees the whole message path at once.
"""

import os as _os

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EHOSTUNREACH, EINTR, ENOMEM, errno
from libc.limits cimport INT_MAX
from libc.stdint cimport INT64_MAX, int64_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from posix.unistd cimport read, write

from zmqtopo.loop.clock cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec
from zmqtopo.loop.libzmq cimport *
from zmqtopo.loop.state cimport *


cdef extern from "errno.h" nogil:
    const int ENOTSUP       # not in Cython's libc.errno


STATES = {RUNNING: "running", PAUSED: "paused", DRAINING: "stopping", ENDED: "stopped"}
LINE_WORDS = LINE
BLOCK_SIZE = 4 * LINE * sizeof(int64_t)


cdef inline int64_t clock_ns(int clock) noexcept nogil:
    cdef timespec t
    clock_gettime(clock, &t)
    return <int64_t>t.tv_sec * 1_000_000_000 + t.tv_nsec


cdef inline Result fail(Loop *loop, int err, int role) noexcept nogil:
    loop.error = err
    loop.error_role = role
    return FAIL


include "load_libzmq.pxi"
include "message.pxi"
include "tap.pxi"
include "subscriptions.pxi"
include "sleep.pxi"


# ---- many messages -----------------------------------------------------------------------------------------------

cdef int burst(Loop *loop, Direction *d, Direction *other) noexcept nogil:
    """Receive a burst of messages and send them; -1 on error.

    One after the other, and not message by message: the I/O thread wakes at the first that is sent and finds the others
    too, which takes 10% less CPU for each message of a forwarder or a streamer. A batch that is not empty goes first.
    """
    cdef Result filled = DONE, sent = DONE, shown = DONE
    cdef int64_t now, sent_before = d.counters[MESSAGES], dropped_before = d.counters[DROPPED]
    cdef int64_t copies = loop.monitor.counters[MESSAGES]
    if d.copies.waits and show_copies(loop, d) == LATER:
        d.idle = True
        return 0
    if d.step == EMPTY:
        filled = LATER if d.drained else receive_batch(loop, d)
        if filled == FAIL:
            return -1
        d.idle = filled == LATER
        if d.source_type == XPUB:
            limit(other, max(d.readers.count, 1))
    if d.step == EMPTY:
        return 0
    if other.step != EMPTY or other.drained:
        d.checked = -1      # subscriptions are not received now
    if d.tapped:
        copy_pending(d)
    while sent == DONE and d.step != EMPTY:
        sent = deliver(loop, d)
    if sent == FAIL:
        return -1
    if d.copies.count:
        shown = show_copies(loop, d)
    d.counters[IN_HAND] = d.received - d.sent
    if d.step == EMPTY and d.batch.capacity > FRAMES_KEPT:
        shrink(d)
    if d.step == EMPTY or d.counters[MESSAGES] != sent_before or d.counters[DROPPED] != dropped_before:
        # Sending on a socket takes in what its peers have signalled: its descriptor may not tell of it any more. A send
        # that is refused does so too, but then `poll_timeout` looks before the loop sleeps; and two directions that are
        # full must not wake each other.
        other.idle = not other.open
    d.idle = sent == LATER or shown == LATER or (d.idle and d.source != d.destination)
    now = clock_ns(CLOCK_REALTIME)
    if d.counters[MESSAGES] != sent_before:
        d.counters[LAST] = now
    if loop.monitor.counters[MESSAGES] != copies:
        loop.monitor.counters[LAST] = now
        loop.monitor.asked = loop.monitor.counts
    return 0


cdef void note_peers(Direction *d) noexcept nogil:
    """Count the peers of the messages pending if these are their first, and let a stop begin to count the time anew.

    libzmq takes from its peers in turn, so those of which it holds something are soon known; of others the I/O thread
    has yet to read what the kernel holds. (Peers that came one after the other by one descriptor count as one.)
    """
    cdef zmq_msg_t *after = d.batch.items
    cdef int i, fd
    for i in range(d.received):
        after += d.messages[i].frames
        fd = zmq.msg_get(after - 1, PROPERTY_SRCFD)
        if 0 <= fd < <int>(8 * sizeof(d.seen)) and not d.seen[fd // 8] & (1 << fd % 8):
            d.seen[fd // 8] |= 1 << fd % 8
            d.peers += 1
            d.drain_time = 0


cdef int drain(Loop *loop, Direction *d, Direction *other) noexcept nogil:
    """A burst that keeps account of how much a stop has already passed on.

    What had been received when the stop came is at most the receive HWM of each peer. The source is idle behind it
    unless producers go on as fast as the loop: then the time spent moving ends it, once no new peer turns up.
    """
    cdef int64_t now, moved, idle, start = clock_ns(CLOCK_MONOTONIC)
    d.drained = d.drained or not d.open
    if d.drained and d.step == EMPTY:
        d.idle = True
        return 0
    moved = d.counters[MESSAGES] + d.counters[DROPPED]
    if burst(loop, d, other) < 0:
        return -1
    moved = d.counters[MESSAGES] + d.counters[DROPPED] - moved
    now = clock_ns(CLOCK_MONOTONIC)
    d.drain_count += moved
    d.drain_time += now - start
    if d.idle_since and (moved or d.step != EMPTY):
        d.idle_time += start - d.idle_since
        d.idle_since = 0
    if d.step == EMPTY and d.idle and not d.copies.waits:
        if d.idle_since == 0:
            d.idle_since = now
        idle = now - d.idle_since
        if idle >= loop.quiet * MILLISECOND or d.idle_time + idle >= DRAIN_DRY * loop.quiet * MILLISECOND:
            d.drained = True
    if d.drain_time > DRAIN_TIME * MILLISECOND and d.drain_count // max(d.peers, 1) >= d.drain_least:
        d.drained = True
    return 0


cdef int step(Loop *loop, Direction *d, Direction *other) noexcept nogil:
    """One step of a direction; -1 on error."""
    if loop.stopping:
        return drain(loop, d, other)
    return 0 if d.idle else burst(loop, d, other)


cdef int run_loop(Loop *loop) except -2 nogil:
    """Turn until told to end (0) or an error ends it (-1)."""
    cdef int rc = 0
    while not loop.now:
        if loop.monitor.asked and count_topics(loop) < 0:
            return -1
        if not loop.paused:
            if step(loop, &loop.forward, &loop.back) < 0 or step(loop, &loop.back, &loop.forward) < 0:
                return -1
            if (
                loop.stopping
                and loop.forward.drained and loop.forward.step == EMPTY
                and loop.back.drained and loop.back.step == EMPTY
                and not taps_wait(loop)
            ):
                return 0
        rc = poll_once(loop)
        if rc < 0:
            return rc
    return 0


# ---- from Python -------------------------------------------------------------------------------------------------

cdef int int_option(void *socket, int option) noexcept nogil:
    cdef int value = 0
    cdef size_t size = sizeof(value)
    zmq.getsockopt(socket, option, &value, &size)
    return value


cdef int set_direction(Loop *loop, Direction *d, int source_role, int destination_role) except -1:
    cdef int hwm
    d.source_role = source_role
    d.destination_role = destination_role
    d.source = loop.sockets[source_role]
    d.destination = loop.sockets[destination_role]
    d.source_type = int_option(d.source, OPT_TYPE)
    d.destination_type = int_option(d.destination, OPT_TYPE)
    hwm = int_option(d.source, OPT_RCVHWM)
    # 0 is no limit: anything may have been received.
    d.drain_least = hwm or INT64_MAX
    # Anyone who wants few messages in a socket does not want many pending.
    # But the RCVHWM of an XPUB is to end each look of libzmq at its readers, and says nothing of what they want.
    d.most = hwm if hwm and d.source_type != XPUB else INT_MAX
    d.refuses = loop.subscription_flags & (REFUSES << destination_role) != 0
    d.inexact = &loop.state[INEXACT + source_role]
    # Others than XSUB take no subscription, but they have each topic offered once, however many subscribe to it.
    d.filters = d.destination_type == XSUB or (
        d.source_type == XPUB and loop.subscription_flags & EACH_REPORTED != 0
    )
    if d.filters and d.source_type == XPUB and loop.subscription_flags & CHECKED:
        d.topics = new_topics()
    if d.destination_type == PUB or d.destination_type == XPUB:
        hwm = int_option(d.destination, OPT_SNDHWM)
        d.send_quota = max(hwm // 8, 1) if hwm else 0
        limit(d, 1)
    if d.source_type == XPUB:
        d.readers = <Readers *>calloc(1, sizeof(Readers))
        if d.readers == NULL:
            raise MemoryError
    d.swap = d.source_type == ROUTER and d.destination_type == ROUTER and d.source != d.destination
    d.open = True
    return 0


cdef void set_monitor_blocks(Loop *loop, bint blocks) noexcept nogil:
    # PUB and XPUB never slow the devices they watch, XPUB_NODROP or not.
    loop.monitor.blocks = blocks and loop.monitor.type != PUB and loop.monitor.type != XPUB


cdef int set_prefix(Direction *d, object prefix) except -1:
    cdef Py_ssize_t size
    if d.has_prefix:
        zmq.msg_close(&d.prefix)
    zmq.msg_init(&d.prefix)
    d.has_prefix = prefix is not None
    if d.has_prefix:
        size = len(prefix)
        if zmq.msg_init_size(&d.prefix, size) < 0:
            raise MemoryError
        memcpy(zmq.msg_data(&d.prefix), PyBytes_AsString(prefix), size)
    return 0


cdef void discard_pending(Loop *loop, Direction *d) noexcept nogil:
    """Count what is still pending as dropped and free it."""
    d.counters[DROPPED] += d.received - d.sent
    d.counters[IN_HAND] = 0
    unblock(d.counters)
    if d.step == TO_MONITOR:
        d.counters[DROPPED] -= 1
        loop.monitor.counters[DROPPED] += 1
        unblock(loop.monitor.counters)
    free(d.messages)
    free(d.readers)
    if d.topics != NULL:
        free(d.topics.slots)
    free(d.topics)
    release(&d.batch)
    release(&d.copy)
    release_copies(d)
    zmq.msg_close(&d.prefix)


def run(
    uintptr_t in_socket,
    uintptr_t out_socket,
    uintptr_t mon_socket,
    int control,
    object block not None,
    bytes prefix_in,
    bytes prefix_out,
    bint mon_blocks,
    int wakeup,
    object attend,
    int subscription_flags,
    int64_t topic_length,
    int64_t most_topics,
    int64_t most_frames,
    uintptr_t tap_drops,
    uintptr_t tap_blocks,
):
    """Move messages between two sockets until told to stop; the GIL is free meanwhile.

    The sockets are ``zmq.Socket.underlying``; out may be the same as in (an echo), mon 0 for none. ``control`` is one
    end of a stream socket pair, not blocking, or -1: the loop takes the bytes p(ause), r(esume), s(top, having passed
    on what was received), f(inish, as s where another device has just passed on what it had left), n(ow) and answers
    each with itself; the end of the stream is n. ``block`` is a writable buffer of BLOCK_SIZE bytes, aligned to 8: the
    state, with three words that say of which line DROPPED is a lower bound, then one line each for in to out, out to in
    and mon. A prefix of None sends the monitor copies without one. ``mon_blocks`` lets a monitor that is full stop its
    direction.
    ``wakeup`` is for Python's main thread: a descriptor, not blocking, that turns readable when a signal has come
    (`signal.set_wakeup_fd`), or -1. Then Python's handlers run, and what they raise ends the loop. ``attend`` is None
    or what the byte c(all) calls in this thread, between two messages: it may do with the sockets what only their
    thread may, and returns None or (prefix_in, prefix_out, mon_blocks, tap_drops, tap_blocks) for the copies from now
    on. ``subscription_flags`` is `zmqtopo.loop.Subscriptions`, the three behind it are the numbers of
    `zmqtopo.loop.Limits`, and the taps are as the sockets, of type XPUB with ZMQ_XPUB_VERBOSER, 0 for none.

    Returns (errno, role, now): an error and the role 0 in, 1 out, 2 mon of its socket, or errno 0 when told to stop,
    and whether that was to be at once. Raises ValueError for a socket that is not open or a block that is too small.
    """
    cdef Loop loop
    cdef Py_buffer view
    cdef int64_t *words
    if not in_socket or not out_socket:
        raise ValueError("in and out must be open sockets")
    memset(&loop, 0, sizeof(loop))
    loop.quiet = DRAIN_QUIET
    PyObject_GetBuffer(block, &view, PyBUF_WRITABLE)
    try:
        if <size_t>view.len < BLOCK_SIZE:
            raise ValueError(f"block must have {BLOCK_SIZE} bytes")
        words = <int64_t *>view.buf
        loop.state = words
        loop.attend = <void *>attend if attend is not None else NULL
        loop.sockets[0] = <void *>in_socket
        loop.sockets[1] = <void *>out_socket
        loop.sockets[2] = <void *>mon_socket
        loop.polled_count = TAPS
        for role in range(POLLED):
            loop.polled[role].fd = -1
            loop.polled[role].events = POLLIN
        for role in range(3):
            # The same socket twice is an echo: it becomes ready as in.
            if loop.sockets[role] != NULL and not (role == 1 and in_socket == out_socket):
                loop.polled[role].fd = int_option(loop.sockets[role], OPT_FD)
        loop.subscription_flags = subscription_flags
        loop.longest_topic = topic_length
        loop.most_topics = most_topics
        loop.most_frames = most_frames
        loop.polled[CONTROL].fd = control
        loop.polled[WAKEUP].fd = wakeup
        set_direction(&loop, &loop.forward, 0, 1 if in_socket != out_socket else 0)
        set_direction(&loop, &loop.back, 1, 0)
        if subscription_flags & EACH_REPORTED:
            loop.forward.audience = loop.back.readers
            loop.back.audience = loop.forward.readers
        loop.back.open = in_socket != out_socket
        loop.back.idle = not loop.back.open
        loop.forward.counters = words + LINE
        loop.back.counters = words + 2 * LINE
        loop.monitor.counters = words + 3 * LINE
        for role in range(1, 4):
            words[role * LINE + BLOCKED_SINCE] = 0      # a run that crashed may have left it
        loop.monitor.socket = loop.sockets[2]
        if mon_socket:
            loop.monitor.type = int_option(loop.monitor.socket, OPT_TYPE)
            loop.monitor.counts = loop.monitor.asked = can_count(loop.monitor.socket, loop.monitor.type)
            loop.monitor.single = int_option(loop.monitor.socket, OPT_CONFLATE) != 0
            loop.monitor.refuses = subscription_flags & (REFUSES << 2) != 0
            set_monitor_blocks(&loop, mon_blocks)
        set_prefix(&loop.forward, prefix_in)
        set_prefix(&loop.back, prefix_out)
        set_tap(&loop, 0, <void *>tap_drops)
        set_tap(&loop, 1, <void *>tap_blocks)
        loop.state[0] = RUNNING
        try:
            with nogil:
                run_loop(&loop)
        finally:
            say_the_end(&loop)
            discard_pending(&loop, &loop.forward)
            discard_pending(&loop, &loop.back)
            loop.state[0] = ENDED
        return loop.error, loop.error_role, loop.now
    finally:
        PyBuffer_Release(&view)
