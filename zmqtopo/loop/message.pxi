# One message: received whole, sent whole or not at all, copied for the monitor. Part of _loop.pyx.

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


cdef inline int64_t message_size(Frames *m) noexcept nogil:
    cdef int64_t size = 0
    cdef size_t i
    for i in range(m.size):
        size += zmq.msg_size(&m.items[i])
    return size


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
    cdef int64_t size = message_size(m)
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
