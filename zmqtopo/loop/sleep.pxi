# What the loop does between bursts: obey, run signal handlers, sleep. Part of _loop.pyx.

cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    const short POLLIN
    int poll(pollfd *fds, unsigned long nfds, int timeout)


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


cdef inline bint is_settling(Loop *loop, Direction *d) noexcept nogil:
    """Whether a stop waits to see that nothing more comes this way."""
    return loop.stopping and d.open and not d.drained and d.step == EMPTY


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
            elif is_settling(loop, &loop.forward) or is_settling(loop, &loop.back):
                timeout = DRAIN_QUIET
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
