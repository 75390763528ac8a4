# What the loop does between bursts: poll, take commands, run signal handlers, sleep. Part of _loop.pyx.

cdef int handle_commands(Loop *loop) except -2 nogil:
    """Carry out the commands that wait on the control socket and answer each with the same byte."""
    cdef char commands[16]
    cdef int control = loop.polled[CONTROL].fd
    cdef ssize_t n, i
    n = read(control, commands, sizeof(commands))
    if n < 0 and (errno == EINTR or errno == EAGAIN):
        return 0
    if n <= 0:
        # Anyone who started this loop is gone: nobody is left to bound a drain, so there is none.
        loop.now = True
        return 0
    for i in range(n):
        if commands[i] == b"p" and not loop.stopping:
            loop.paused = True
            loop.state[0] = PAUSED
        elif commands[i] == b"r" and not loop.stopping:
            loop.paused = False
            loop.state[0] = RUNNING
        elif commands[i] == b"c" and loop.attend != NULL:
            if call_attend(loop) < 0:
                return -2
        elif commands[i] == b"s" or commands[i] == b"f":
            if commands[i] == b"f" and not loop.stopping:
                loop.quiet = DRAIN_QUIET_FED
            loop.stopping = True
            loop.paused = False
            loop.state[0] = DRAINING
        elif commands[i] == b"n":
            loop.now = True
    # Anyone who asked may be gone by now; the answer is a courtesy. (The socket does not block.)
    write(control, commands, n)
    return 0


cdef int call_attend(Loop *loop) except -2 with gil:
    """Let Python see to the sockets; it may have changed any of them, and says what is new for monitor and taps."""
    monitoring = (<object>loop.attend)()
    loop.forward.idle = not loop.forward.open
    loop.back.idle = not loop.back.open
    loop.monitor.asked = loop.monitor.counts
    if monitoring is not None:
        prefix_in, prefix_out, blocks, tap_drops, tap_blocks = monitoring
        set_prefix(&loop.forward, prefix_in)
        set_prefix(&loop.back, prefix_out)
        set_monitor_blocks(loop, blocks)
        set_tap(loop, 0, <void *><uintptr_t>tap_drops)
        set_tap(loop, 1, <void *><uintptr_t>tap_blocks)
    return 0


cdef int run_handlers(Loop *loop) except -1 with gil:
    """Run the Python handlers of the signals that have come. The bytes go first: a new signal writes a new one."""
    cdef char numbers[64]
    read(loop.polled[WAKEUP].fd, numbers, sizeof(numbers))
    return PyErr_CheckSignals()


cdef inline bint may_refuse(int socket_type) noexcept nogil:
    """Whether libzmq calls a socket writable that has no room: with XPUB_NODROP, and a STREAM always."""
    return socket_type == XPUB or socket_type == PUB or socket_type == STREAM


cdef inline void wake(Direction *d, int role, int events) noexcept nogil:
    """Let a direction go on if that socket was what it waited for."""
    if d.step == EMPTY:
        if role == d.source_role and events & CAN_RECEIVE:
            d.idle = not d.open
    elif role == waits_for(d) and events & CAN_SEND:
        d.idle = False


cdef inline int waits_for(Direction *d) noexcept nogil:
    """The role of the socket that has to take what is pending."""
    return 2 if d.step == TO_MONITOR else d.destination_role


cdef int process_events(Loop *loop, int role) noexcept nogil:
    """Take in what a socket's peers have signalled; -1 on error."""
    cdef int events = 0
    cdef size_t size = sizeof(events)
    while zmq.getsockopt(loop.sockets[role], OPT_EVENTS, &events, &size) < 0:
        if zmq.zmq_errno() != EINTR:
            fail(loop, zmq.zmq_errno(), role)
            return -1
    wake(&loop.forward, role, events)
    wake(&loop.back, role, events)
    if role == 2 and loop.monitor.counts:
        loop.monitor.asked = True
    return 0


cdef int poll_timeout(Loop *loop, Direction *d) noexcept nogil:
    """How long an idle direction lets the loop sleep, in milliseconds: -1 without limit; -2 on error."""
    if d.copies.waits:
        return REFUSED_RETRY
    if d.step != EMPTY and may_refuse(loop.monitor.type if d.step == TO_MONITOR else d.destination_type):
        return REFUSED_RETRY
    if d.step != EMPTY:
        # A send that is refused looks only once a millisecond (libzmq's max_command_delay) at what its peers have
        # signalled, and another socket's look may have emptied the descriptor.
        return -1 if process_events(loop, waits_for(d)) == 0 else -2
    return loop.quiet if loop.stopping and d.open and not d.drained else -1


cdef int poll_once(Loop *loop) except -2 nogil:
    """Look at control and signals; when nothing can move, sleep until something can. -1 on error.

    poll(2) on the sockets' file descriptors instead of zmq_poll: a descriptor turns readable when a peer has signalled
    something that libzmq has not taken in yet, and a receive that finds nothing has just taken in everything. So one
    system call is all that a sleep costs, and it works for sockets of any context.
    """
    cdef int rc, role, forward, back, timeout = 0
    if loop.paused:
        timeout = -1
    elif loop.forward.idle and loop.back.idle:
        forward = poll_timeout(loop, &loop.forward)
        back = poll_timeout(loop, &loop.back)
        if forward < -1 or back < -1:
            return -1
        if loop.forward.idle and loop.back.idle:
            timeout = max(forward, back)
    elif loop.work < BURST:
        return 0
    loop.work = 0
    rc = poll(loop.polled, loop.polled_count, timeout)
    if rc < 0 and errno != EINTR:
        fail(loop, errno, 0)
        return -1
    if timeout > 0:
        loop.forward.idle = not loop.forward.open
        loop.back.idle = not loop.back.open
    if rc <= 0:
        return 0
    for role in range(3):
        if loop.polled[role].revents and process_events(loop, role) < 0:
            return -1
    if loop.polled_count == POLLED:
        for role in range(2):
            if loop.taps[role].socket != NULL and loop.polled[TAPS + role].revents:
                process_tap(loop, &loop.taps[role])
    if loop.polled[WAKEUP].revents and run_handlers(loop) < 0:
        return -2
    if loop.polled[CONTROL].revents:
        return handle_commands(loop)
    return 0
