# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The broker loop: whole messages between two sockets, both ways, with copies for a third.

One turn moves a burst of messages in each direction and then looks at the control socket; only when nothing moved
does the loop sleep, in one poll(2) on every socket, until something can. Sends never wait, so a direction whose
destination is full keeps its message in hand while the other direction goes on.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EHOSTUNREACH, EINTR, ENOMEM, errno
from libc.stdint cimport INT64_MAX, int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from posix.dlfcn cimport RTLD_LAZY, dlerror, dlopen, dlsym
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec
from posix.unistd cimport read, write

from zmqtopo.loop.libzmq cimport (
    CAN_RECEIVE,
    CAN_SEND,
    DEALER,
    DONTWAIT,
    EFSM,
    ETERM,
    Libzmq,
    OPT_EVENTS,
    OPT_FD,
    OPT_RCVHWM,
    OPT_TYPE,
    PUB,
    PUSH,
    REQ,
    ROUTER,
    SNDMORE,
    STREAM,
    XPUB,
    zmq_msg_t,
)


cdef extern from "errno.h" nogil:
    const int ENOTSUP       # not in Cython's libc.errno


cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    const short POLLIN
    int poll(pollfd *fds, unsigned long nfds, int timeout)


cdef Libzmq zmq


# ---- what the loop and its readers agree on ----------------------------------------------------------------------

cdef enum:
    # A burst ends after so many messages or bytes, so that the other direction and the control socket are never far.
    BURST_MESSAGES = 1000
    BURST_BYTES = 1 << 20
    # How often to try a socket that calls itself writable and refuses: the only wait with a time, in milliseconds.
    REFUSED_RETRY = 10
    # How long a stop goes on under a producer that never pauses, in nanoseconds of moving messages.
    DRAIN_TIME = 80_000_000

cdef enum:
    # Words of one line of counters (64 bytes: one cache line for each writer's direction).
    MESSAGES = 0
    BYTES = 1
    DROPPED = 2
    BLOCKED = 3
    BLOCKED_TIME = 4
    BLOCKED_SINCE = 5
    LAST = 6
    LINE = 8

cdef enum:
    # Word 0 of the block.
    RUNNING = 1
    PAUSED = 2
    DRAINING = 3
    ENDED = 4

cdef enum Result:
    DONE = 0
    LATER = 1
    DROP = 2
    FAIL = 3

cdef enum Step:
    # Where the message in hand is. The destination comes before the monitor: a copy is only ever shown of a message
    # that its destination has taken.
    EMPTY = 0
    TO_DESTINATION = 1
    TO_MONITOR = 2

STATES = {RUNNING: "running", PAUSED: "paused", DRAINING: "stopping", ENDED: "stopped"}
LINE_WORDS = LINE
BLOCK_SIZE = 4 * LINE * sizeof(int64_t)


cdef struct Frames:
    # A whole message. Every slot up to capacity is an initialised zmq_msg_t, so receiving needs no init.
    zmq_msg_t *items
    size_t size
    size_t capacity

cdef struct Direction:
    void *source
    void *destination
    int source_role
    int destination_role
    int source_type
    int destination_type
    int64_t *counters
    zmq_msg_t prefix        # first frame of every copy for the monitor
    bint has_prefix
    bint open               # the source is of a type that can receive
    bint swap               # ROUTER to ROUTER: destination and sender change places
    bint drained            # a stop has found nothing more to pass on
    int64_t drain_time      # nanoseconds spent moving since the stop
    int64_t drain_count     # messages moved since the stop
    int64_t drain_least     # and how many it moves at least: the receive HWM
    Step step
    Frames message
    Frames copy

cdef struct Monitor:
    void *socket
    int type
    bint blocks             # a copy that cannot go waits and its direction with it
    bint counts             # an XPUB that the loop has from the start, so that it has seen every subscription
    int64_t subscriptions   # topics that somebody wants
    int64_t *counters

cdef struct Loop:
    Direction forward       # in to out
    Direction back          # out to in
    Monitor monitor
    void *sockets[3]        # in, out, mon: by role
    int fds[3]
    int control
    int64_t *state
    int wakeup              # readable when a signal waits for its Python handler, or -1
    bint paused
    bint stopping
    bint now
    int error
    int error_role


# ---- time and errors ---------------------------------------------------------------------------------------------

cdef inline int64_t clock_ns(int clock) noexcept nogil:
    cdef timespec t
    clock_gettime(clock, &t)
    return <int64_t>t.tv_sec * 1_000_000_000 + t.tv_nsec


cdef inline Result fail(Loop *loop, int err, int role) noexcept nogil:
    loop.error = err
    loop.error_role = role
    return FAIL


# ---- frames ------------------------------------------------------------------------------------------------------

cdef int grow(Frames *frames) noexcept nogil:
    cdef size_t i, capacity = 2 * frames.capacity if frames.capacity else 4
    cdef zmq_msg_t *items = <zmq_msg_t *>malloc(capacity * sizeof(zmq_msg_t))
    if items == NULL:
        return ENOMEM
    for i in range(capacity):
        zmq.msg_init(&items[i])
    for i in range(frames.capacity):
        # A message must not be moved with memcpy: libzmq's man page of zmq_msg_init forbids touching its bytes.
        zmq.msg_move(&items[i], &frames.items[i])
    free(frames.items)
    frames.items = items
    frames.capacity = capacity
    return 0


cdef void clear(Frames *frames) noexcept nogil:
    cdef size_t i
    for i in range(frames.size):
        zmq.msg_close(&frames.items[i])
        zmq.msg_init(&frames.items[i])
    frames.size = 0


cdef void release(Frames *frames) noexcept nogil:
    cdef size_t i
    for i in range(frames.capacity):
        zmq.msg_close(&frames.items[i])
    free(frames.items)


# ---- one message -------------------------------------------------------------------------------------------------

cdef Result receive(Loop *loop, Direction *d) noexcept nogil:
    """Take one whole message from the source into hand.

    libzmq delivers all frames of a message or none (zmq_msg_recv), so only the first can be missing.
    """
    cdef Frames *m = &d.message
    cdef zmq_msg_t *frame
    cdef zmq_msg_t spare
    cdef int err
    while True:
        if m.size == m.capacity and grow(m):
            return fail(loop, ENOMEM, d.source_role)
        frame = &m.items[m.size]
        if zmq.msg_recv(frame, d.source, DONTWAIT) < 0:
            err = zmq.zmq_errno()
            if err == EINTR:
                continue
            if err == EAGAIN or err == EFSM:    # EFSM: a REP that owes a reply, a REQ that has asked nothing
                return LATER
            if err == ENOTSUP:                  # PUB and PUSH: nothing ever comes this way
                d.open = False
                return LATER
            return fail(loop, err, d.source_role)
        m.size += 1
        if not zmq.msg_more(frame):
            break
    if d.swap and m.size > 1:
        zmq.msg_init(&spare)
        zmq.msg_move(&spare, &m.items[0])
        zmq.msg_move(&m.items[0], &m.items[1])
        zmq.msg_move(&m.items[1], &spare)
        zmq.msg_close(&spare)
    return DONE


cdef Result send(Loop *loop, Frames *m, void *socket, int socket_type, int role) noexcept nogil:
    """Give a socket the whole message or nothing of it; DONE leaves its frames empty.

    The high-water mark counts messages, so a socket that has taken the first frame takes the others. When one is
    refused all the same, its peer has gone in the middle of the message and libzmq has taken back the frames before.
    """
    cdef size_t i
    cdef int rc, err, flags
    cdef bint broken = False
    for i in range(m.size):
        flags = DONTWAIT | SNDMORE if i + 1 < m.size else DONTWAIT
        rc = zmq.msg_send(&m.items[i], socket, flags)
        while rc < 0 and zmq.zmq_errno() == EINTR:
            rc = zmq.msg_send(&m.items[i], socket, flags)
        if rc >= 0:
            continue
        err = zmq.zmq_errno()
        if i > 0 and err == EAGAIN:
            if socket_type == DEALER or socket_type == PUSH or socket_type == REQ:
                # These swallow frames up to the end of the broken message, so they must be given that end. A PAIR
                # must not be: it would take the rest for a message of its own.
                broken = True
                continue
            return DROP
        if i == 0 and err == EAGAIN and socket_type != ROUTER:
            return LATER
        if i == 0 and err == EFSM and socket_type == REQ:
            return LATER
        if err == EAGAIN or err == EFSM or err == EHOSTUNREACH or err == ENOTSUP:
            # EAGAIN from a ROUTER: ROUTER_MANDATORY and one peer that is full, for whom the others must not wait.
            # EHOSTUNREACH: the same and no such peer. ENOTSUP: PULL and SUB take nothing. EFSM: REP owes nobody.
            return DROP
        return fail(loop, err, role)
    return DROP if broken else DONE


cdef Result show(Loop *loop, Direction *d) noexcept nogil:
    """Give the monitor its copy of the message that has just gone."""
    cdef Monitor *mon = &loop.monitor
    cdef Frames *m = &d.copy
    cdef int64_t size = 0
    cdef size_t i
    for i in range(m.size):
        size += zmq.msg_size(&m.items[i])
    cdef Result result = send(loop, m, mon.socket, mon.type, 2)
    if result == FAIL:
        return FAIL
    if result == LATER and mon.blocks:
        if not mon.counters[BLOCKED_SINCE]:
            mon.counters[BLOCKED] += 1
            mon.counters[BLOCKED_SINCE] = clock_ns(CLOCK_MONOTONIC)
        return LATER
    unblock(mon.counters)
    if result == DONE:
        mon.counters[MESSAGES] += 1
        mon.counters[BYTES] += size
        m.size = 0
    else:
        mon.counters[DROPPED] += 1
        clear(m)
    d.step = EMPTY
    return DONE


cdef int copy_for_monitor(Direction *d) noexcept nogil:
    """Fill ``d.copy`` with the prefix and the frames; libzmq shares the bytes of large frames."""
    cdef Frames *to = &d.copy
    cdef size_t i, shift = 1 if d.has_prefix else 0
    while to.capacity < d.message.size + shift:
        if grow(to):
            return ENOMEM
    if d.has_prefix:
        zmq.msg_copy(&to.items[0], &d.prefix)
    for i in range(d.message.size):
        zmq.msg_copy(&to.items[i + shift], &d.message.items[i])
    to.size = d.message.size + shift
    return 0


cdef inline void unblock(int64_t *counters) noexcept nogil:
    if counters[BLOCKED_SINCE]:
        counters[BLOCKED_TIME] += clock_ns(CLOCK_MONOTONIC) - counters[BLOCKED_SINCE]
        counters[BLOCKED_SINCE] = 0


cdef Result deliver(Loop *loop, Direction *d, int64_t size) noexcept nogil:
    """Pass on the message in hand; LATER when its destination or the monitor cannot take it yet."""
    cdef Monitor *mon = &loop.monitor
    cdef Result result
    if d.step == TO_DESTINATION:
        # Sending empties frames, so the copy comes first; a message that waits keeps the copy it has.
        if mon.socket != NULL and d.copy.size == 0 and (not mon.counts or mon.subscriptions > 0):
            if copy_for_monitor(d):
                return fail(loop, ENOMEM, 2)
        result = send(loop, &d.message, d.destination, d.destination_type, d.destination_role)
        if result == FAIL:
            return FAIL
        if result == LATER:
            if not d.counters[BLOCKED_SINCE]:
                d.counters[BLOCKED] += 1
                d.counters[BLOCKED_SINCE] = clock_ns(CLOCK_MONOTONIC)
            return LATER
        unblock(d.counters)
        if result == DONE:
            d.counters[MESSAGES] += 1
            d.counters[BYTES] += size
            d.message.size = 0
            d.step = TO_MONITOR if d.copy.size else EMPTY
        else:
            d.counters[DROPPED] += 1
            clear(&d.message)
            clear(&d.copy)
            d.step = EMPTY
    if d.step == TO_MONITOR:
        return show(loop, d)
    return DONE


# ---- many messages -----------------------------------------------------------------------------------------------

cdef inline int64_t message_size(Frames *m) noexcept nogil:
    cdef int64_t size = 0
    cdef size_t i
    for i in range(m.size):
        size += zmq.msg_size(&m.items[i])
    return size


cdef int burst(Loop *loop, Direction *d) noexcept nogil:
    """Move messages until the source is dry, the destination full or the burst long; the number moved, -1 on error."""
    cdef int moved = 0
    cdef int64_t now, size, budget = BURST_BYTES
    cdef int64_t copies = loop.monitor.counters[MESSAGES]
    cdef Result result = DONE
    while moved < BURST_MESSAGES and budget > 0:
        if d.step == EMPTY:
            if d.drained:
                break
            result = receive(loop, d)
            if result != DONE:
                break
            d.step = TO_DESTINATION
        size = message_size(&d.message)
        result = deliver(loop, d, size)
        if result != DONE:
            break
        moved += 1
        budget -= size
    if result == FAIL:
        return -1
    if moved:
        now = clock_ns(CLOCK_REALTIME)
        if loop.monitor.counters[MESSAGES] != copies:
            loop.monitor.counters[LAST] = now
        d.counters[LAST] = now
    if loop.stopping:
        d.drained = d.drained or (d.step == EMPTY and result == LATER)
    return moved


cdef int read_subscriptions(Loop *loop) noexcept nogil:
    """Count what the subscribers of an XPUB monitor want: libzmq reports each topic's first comer and last leaver."""
    cdef zmq_msg_t msg
    cdef int rc, err = 0
    cdef char *data
    zmq.msg_init(&msg)
    while True:
        rc = zmq.msg_recv(&msg, loop.monitor.socket, DONTWAIT)
        if rc < 0:
            err = zmq.zmq_errno()
            if err == EINTR:
                continue
            break
        data = <char *>zmq.msg_data(&msg)
        if rc > 0 and data[0] == 1:
            loop.monitor.subscriptions += 1
        elif rc > 0 and data[0] == 0 and loop.monitor.subscriptions > 0:
            loop.monitor.subscriptions -= 1
    zmq.msg_close(&msg)
    if err != EAGAIN:
        fail(loop, err, 2)
        return -1
    return 0


# ---- control and sleep -------------------------------------------------------------------------------------------

cdef void obey(Loop *loop) noexcept nogil:
    """Carry out the commands that wait on the control socket and answer each with the same byte."""
    cdef char commands[16]
    cdef ssize_t n, i
    n = read(loop.control, commands, sizeof(commands))
    if n < 0 and (errno == EINTR or errno == EAGAIN):
        return
    if n <= 0:
        # Whoever started this loop is gone: nobody is left to bound a drain, so there is none.
        loop.now = True
        return
    for i in range(n):
        if commands[i] == b"p" and not loop.stopping:
            loop.paused = True
            loop.state[0] = PAUSED
        elif commands[i] == b"r" and not loop.stopping:
            loop.paused = False
            loop.state[0] = RUNNING
        elif commands[i] == b"s":
            loop.stopping = True
            loop.paused = False
            loop.state[0] = DRAINING
        elif commands[i] == b"n":
            loop.now = True
    # Whoever asked may be gone by now; the answer is a courtesy. (The socket does not block.)
    write(loop.control, commands, n)


cdef int run_handlers(Loop *loop) except -1 with gil:
    """Run the Python handlers of the signals that have come. The bytes go first: a new signal writes a new one."""
    cdef char numbers[64]
    read(loop.wakeup, numbers, sizeof(numbers))
    return PyErr_CheckSignals()


cdef inline int events_of(Loop *loop, int role) noexcept nogil:
    """The ready bits of a socket, -1 on error. Reading them takes in all that its peers have signalled."""
    cdef int events = 0
    cdef size_t size = sizeof(events)
    while zmq.getsockopt(loop.sockets[role], OPT_EVENTS, &events, &size) < 0:
        if zmq.zmq_errno() != EINTR:
            fail(loop, zmq.zmq_errno(), role)
            return -1
    return events


cdef inline bint can_go_on(Direction *d, int *events) noexcept nogil:
    if d.step == EMPTY:
        return d.open and not d.drained and (events[d.source_role] & CAN_RECEIVE)
    if d.step == TO_MONITOR:
        return events[2] & CAN_SEND
    return not may_refuse(d.destination_type) and events[d.destination_role] & CAN_SEND


cdef inline bint may_refuse(int socket_type) noexcept nogil:
    """Whether libzmq calls a socket writable that has no room: with XPUB_NODROP, and a STREAM always."""
    return socket_type == XPUB or socket_type == PUB or socket_type == STREAM


cdef inline bint is_refused(Direction *d) noexcept nogil:
    return d.step == TO_DESTINATION and may_refuse(d.destination_type)


cdef int wait(Loop *loop, bint idle) except -2 nogil:
    """Look at control and signals; when ``idle``, sleep until there is something to do. -1 on error.

    poll(2) on the sockets' file descriptors instead of zmq_poll: a descriptor turns readable when a peer has
    signalled something since the last look at OPT_EVENTS, so looking at all of them first and sleeping then misses
    nothing, costs one system call, and works for sockets of any context.
    """
    cdef pollfd fds[5]
    cdef int events[3]
    cdef int role, rc, count = 0, timeout = 0
    cdef int control = -1, wakeup = -1
    if loop.control >= 0:
        control = count
        fds[count].fd = loop.control
        count += 1
    if loop.wakeup >= 0:
        wakeup = count
        fds[count].fd = loop.wakeup
        count += 1
    if idle:
        timeout = -1
        for role in range(3):
            events[role] = 0
            if loop.sockets[role] == NULL:
                continue
            if role == 1 and loop.sockets[1] == loop.sockets[0]:
                events[1] = events[0]
                continue
            events[role] = events_of(loop, role)
            if events[role] < 0:
                return -1
            fds[count].fd = loop.fds[role]
            count += 1
        if not loop.paused:
            if can_go_on(&loop.forward, events) or can_go_on(&loop.back, events):
                timeout = 0
            elif is_refused(&loop.forward) or is_refused(&loop.back):
                timeout = REFUSED_RETRY
        if loop.monitor.counts and events[2] & CAN_RECEIVE:
            timeout = 0
    for role in range(count):
        fds[role].events = POLLIN
        fds[role].revents = 0
    if timeout == 0 and control < 0 and wakeup < 0:
        return 0
    rc = poll(fds, count, timeout)
    if rc < 0 and errno != EINTR:
        fail(loop, errno, 0)
        return -1
    if rc > 0 and wakeup >= 0 and fds[wakeup].revents and run_handlers(loop) < 0:
        return -2
    if rc > 0 and control >= 0 and fds[control].revents:
        obey(loop)
    return 0


cdef int drain_burst(Loop *loop, Direction *d) noexcept nogil:
    """A burst that keeps account of how much a stop has already passed on.

    What had been received when the stop came is at most the receive HWM of each peer. The source runs dry behind it
    unless producers go on as fast as the loop: then the time spent moving ends it.
    """
    cdef int64_t start = clock_ns(CLOCK_MONOTONIC)
    cdef int moved
    d.drained = d.drained or not d.open
    if d.drained and d.step == EMPTY:
        return 0
    moved = burst(loop, d)
    d.drain_count += moved
    d.drain_time += clock_ns(CLOCK_MONOTONIC) - start
    if d.drain_time > DRAIN_TIME and d.drain_count >= d.drain_least:
        d.drained = True
    return moved


cdef int cycle(Loop *loop) except -2 nogil:
    """Turn until told to end (0) or an error ends it (-1)."""
    cdef int forward = 0, back = 0
    while True:
        if loop.monitor.counts and read_subscriptions(loop) < 0:
            return -1
        if loop.paused:
            forward = back = 0
        elif loop.stopping:
            forward = drain_burst(loop, &loop.forward)
            back = drain_burst(loop, &loop.back)
            if (
                loop.forward.drained and loop.forward.step == EMPTY
                and loop.back.drained and loop.back.step == EMPTY
            ):
                return 0
        else:
            forward = burst(loop, &loop.forward)
            back = burst(loop, &loop.back) if loop.back.open else 0
        if forward < 0 or back < 0:
            return -1
        if wait(loop, forward == 0 and back == 0) < 0:
            return -1
        if loop.now:
            return 0


# ---- from Python -------------------------------------------------------------------------------------------------

cdef int int_option(void *socket, int option) noexcept nogil:
    cdef int value = 0
    cdef size_t size = sizeof(value)
    zmq.getsockopt(socket, option, &value, &size)
    return value


cdef void set_direction(Loop *loop, Direction *d, int source_role, int destination_role) noexcept nogil:
    d.source_role = source_role
    d.destination_role = destination_role
    d.source = loop.sockets[source_role]
    d.destination = loop.sockets[destination_role]
    d.source_type = int_option(d.source, OPT_TYPE)
    d.destination_type = int_option(d.destination, OPT_TYPE)
    # 0 is no limit: anything may have been received.
    d.drain_least = int_option(d.source, OPT_RCVHWM) or INT64_MAX
    d.swap = d.source_type == ROUTER and d.destination_type == ROUTER and d.source != d.destination
    d.open = True


cdef int set_prefix(Direction *d, object prefix) except -1:
    cdef Py_ssize_t size
    zmq.msg_init(&d.prefix)
    d.has_prefix = prefix is not None
    if d.has_prefix:
        size = len(prefix)
        if zmq.msg_init_size(&d.prefix, size) < 0:
            raise MemoryError
        memcpy(zmq.msg_data(&d.prefix), PyBytes_AsString(prefix), size)
    return 0


cdef void give_up(Loop *loop, Direction *d) noexcept nogil:
    """Count what is still in hand as dropped and free it."""
    if d.step == TO_DESTINATION:
        d.counters[DROPPED] += 1
        unblock(d.counters)
    elif d.step == TO_MONITOR:
        loop.monitor.counters[DROPPED] += 1
        unblock(loop.monitor.counters)
    release(&d.message)
    release(&d.copy)
    zmq.msg_close(&d.prefix)


def load(str path not None):
    """Fill the function table from the shared object at ``path``, which must be loaded already.

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
    zmq.msg_move = <int (*)(zmq_msg_t *, zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_move", path)
    zmq.msg_copy = <int (*)(zmq_msg_t *, zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_copy", path)
    zmq.msg_more = <int (*)(const zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_more", path)
    zmq.msg_data = <void *(*)(zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_data", path)
    zmq.msg_size = <size_t (*)(const zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_size", path)


cdef void *symbol(void *library, bytes name, str path) except NULL:
    cdef void *address = dlsym(library, <char *>name)
    if address == NULL:
        raise ImportError(f"{path} does not export {name.decode()}: zmqtopo needs pyzmq on a shared libzmq")
    return address


def run(
    uintptr_t in_socket,
    uintptr_t out_socket,
    uintptr_t mon_socket,
    int control,
    object block not None,
    bytes prefix_in,
    bytes prefix_out,
    bint mon_blocks,
    bint mon_counts,
    int wakeup,
):
    """Move messages between two sockets until told to stop; the GIL is free meanwhile.

    The sockets are ``zmq.Socket.underlying``; out may be the same as in (an echo), mon 0 for none. ``control`` is one
    end of a stream socket pair, not blocking, or -1: the loop obeys the bytes p(ause), r(esume), s(top, having passed
    on what was received), n(ow) and answers each with itself; the end of the stream is n. ``block`` is a writable
    buffer of BLOCK_SIZE bytes, aligned to 8: the state, then one line each for in to out, out to in and mon. A prefix
    of None sends the monitor copies without one. ``mon_blocks`` lets a monitor that is full stop its direction;
    ``mon_counts`` says that nobody has received from it, so that an XPUB without subscribers is sent nothing.
    ``wakeup`` is for Python's main thread: a descriptor, not blocking, that turns readable when a signal has come
    (`signal.set_wakeup_fd`), or -1. Then Python's handlers run, and what they raise ends the loop.

    Returns (errno, role, now): an error and the role 0 in, 1 out, 2 mon of its socket, or errno 0 when told to stop,
    and whether that was to be at once. Raises ValueError for a socket that is not open or a block that is too small.
    """
    cdef Loop loop
    cdef Py_buffer view
    cdef int64_t *words
    if not in_socket or not out_socket:
        raise ValueError("in and out must be open sockets")
    memset(&loop, 0, sizeof(loop))
    PyObject_GetBuffer(block, &view, PyBUF_WRITABLE)
    try:
        if <size_t>view.len < BLOCK_SIZE:
            raise ValueError(f"block must have {BLOCK_SIZE} bytes")
        words = <int64_t *>view.buf
        loop.state = words
        loop.control = control
        loop.wakeup = wakeup
        loop.sockets[0] = <void *>in_socket
        loop.sockets[1] = <void *>out_socket
        loop.sockets[2] = <void *>mon_socket
        for role in range(3):
            if loop.sockets[role] != NULL:
                loop.fds[role] = int_option(loop.sockets[role], OPT_FD)
        set_direction(&loop, &loop.forward, 0, 1)
        set_direction(&loop, &loop.back, 1, 0)
        loop.back.open = in_socket != out_socket
        loop.forward.counters = words + LINE
        loop.back.counters = words + 2 * LINE
        loop.monitor.counters = words + 3 * LINE
        for role in range(1, 4):
            words[role * LINE + BLOCKED_SINCE] = 0      # a run that crashed may have left it
        loop.monitor.socket = loop.sockets[2]
        if mon_socket:
            loop.monitor.type = int_option(loop.monitor.socket, OPT_TYPE)
            # PUB and XPUB never slow the devices they watch, XPUB_NODROP or not.
            loop.monitor.counts = mon_counts and loop.monitor.type == XPUB
            loop.monitor.blocks = mon_blocks and loop.monitor.type != PUB and loop.monitor.type != XPUB
        set_prefix(&loop.forward, prefix_in)
        set_prefix(&loop.back, prefix_out)
        loop.state[0] = RUNNING
        try:
            with nogil:
                cycle(&loop)
        finally:
            give_up(&loop, &loop.forward)
            give_up(&loop, &loop.back)
            loop.state[0] = ENDED
        return loop.error, loop.error_role, loop.now
    finally:
        PyBuffer_Release(&view)
