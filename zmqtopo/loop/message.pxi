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


cdef void clear(zmq_msg_t *frames, size_t count) noexcept nogil:
    cdef size_t i
    for i in range(count):
        zmq.msg_close(&frames[i])
        zmq.msg_init(&frames[i])


cdef void release(Frames *frames) noexcept nogil:
    cdef size_t i
    for i in range(frames.capacity):
        zmq.msg_close(&frames.items[i])
    free(frames.items)


# ---- one message -------------------------------------------------------------------------------------------------

cdef inline Result receive(Loop *loop, Direction *d) noexcept nogil:
    """Take one more whole message from the source into the batch.

    libzmq delivers all frames of a message or none (zmq_msg_recv), so only the first can be missing. DROP says that it
    had too many.
    """
    cdef Frames *batch = &d.batch
    cdef size_t first = batch.size
    cdef int64_t size = 0
    cdef zmq_msg_t *frame
    cdef int rc, err
    while True:
        if batch.size == batch.capacity and grow_batch(d):
            return fail(loop, ENOMEM, d.source_role)
        frame = &batch.items[batch.size]
        rc = zmq.msg_recv(frame, d.source, DONTWAIT)
        if rc < 0:
            err = zmq.zmq_errno()
            if err == EINTR:
                continue
            if err == EAGAIN or err == EFSM:    # EFSM: a REP that owes a reply, a REQ that has asked nothing
                return LATER
            if err == ENOTSUP:                  # PUB and PUSH: nothing ever comes this way
                d.open = False
                return LATER
            return fail(loop, err, d.source_role)
        batch.size += 1
        size += rc
        if not zmq.msg_more(frame):
            break
    if batch.size - first > <size_t>loop.most_frames:
        clear(&batch.items[first], batch.size - first)
        batch.size = first
        d.counters[DROPPED] += 1
        return DROP
    if d.swap and batch.size - first > 1:
        swap(&batch.items[first], &batch.items[first + 1])
    d.messages[d.received].frames = batch.size - first
    d.messages[d.received].size = size
    d.received += 1
    return DONE


cdef void swap(zmq_msg_t *one, zmq_msg_t *other) noexcept nogil:
    cdef zmq_msg_t spare
    zmq.msg_init(&spare)
    zmq.msg_move(&spare, one)
    zmq.msg_move(one, other)
    zmq.msg_move(other, &spare)
    zmq.msg_close(&spare)


cdef int grow_batch(Direction *d) noexcept nogil:
    cdef Message *messages
    if grow(&d.batch):
        return ENOMEM
    messages = <Message *>realloc(d.messages, d.batch.capacity * sizeof(Message))
    if messages == NULL:
        return ENOMEM
    d.messages = messages
    return 0


cdef void shrink(Direction *d) noexcept nogil:
    """Free the room in the empty batch, and that for a copy: any client may send a message of a million frames."""
    release(&d.batch)
    release(&d.copy)
    free(d.messages)
    memset(&d.batch, 0, sizeof(d.batch))
    memset(&d.copy, 0, sizeof(d.copy))
    d.messages = NULL


cdef Result receive_batch(Loop *loop, Direction *d) noexcept nogil:
    """Take a burst of messages from the source into the empty batch; LATER when it has no more."""
    cdef int64_t work = 0
    cdef Result result = DONE
    while work + FRAME_WORK * <int64_t>d.batch.size < BURST and d.received < d.most:
        result = receive(loop, d)
        if result == DROP:
            work += MESSAGE_WORK
            result = DONE
            continue
        if result != DONE:
            break
        work += d.messages[d.received - 1].size + MESSAGE_WORK
    loop.work += work + FRAME_WORK * <int64_t>d.batch.size
    if d.received:
        d.step = TO_DESTINATION
        if loop.stopping:
            note_peers(d)
        if d.source_type == XPUB:
            note_readers(d)
        if d.filters:
            if filter_subscriptions(loop, d):
                return fail(loop, ENOMEM, d.source_role)
            if d.received == 0:
                d.step = EMPTY
    return result


cdef inline void advance(Direction *d) noexcept nogil:
    """Go on to the next message pending."""
    d.first += d.messages[d.sent].frames
    d.sent += 1
    if d.sent < d.received:
        d.step = TO_DESTINATION
    else:
        d.step = EMPTY
        d.received = d.sent = 0
        d.first = d.batch.size = 0


cdef inline Result send(
    Loop *loop, zmq_msg_t *frames, size_t count, void *socket, int socket_type, int role
) noexcept nogil:
    """Give a socket the whole message or nothing of it; DONE leaves its frames empty.

    The high-water mark counts messages, so a socket that has taken the first frame takes the others. When one is
    refused all the same, its peer has gone in the middle of the message and libzmq has taken back the frames before.
    """
    cdef size_t i
    cdef int rc, err, flags
    cdef bint broken = False
    if count == 1 and socket_type == ROUTER:
        # An address without a message: libzmq would take it and drop it silently.
        return DROP
    for i in range(count):
        flags = DONTWAIT | SNDMORE if i + 1 < count else DONTWAIT
        rc = zmq.msg_send(&frames[i], socket, flags)
        if rc >= 0:
            continue
        err = zmq.zmq_errno()
        while err == EINTR:
            rc = zmq.msg_send(&frames[i], socket, flags)
            err = zmq.zmq_errno() if rc < 0 else 0
        if rc >= 0:
            continue
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
            # EAGAIN from a ROUTER: ROUTER_MANDATORY and one peer that is full, for which the others must not wait.
            # EHOSTUNREACH: the same and no such peer. ENOTSUP: PULL and SUB take nothing. EFSM: REP owes nobody.
            return DROP
        return fail(loop, err, role)
    return DROP if broken else DONE


cdef Result send_past_the_full(
    Loop *loop, zmq_msg_t *frames, size_t count, void *socket, int socket_type, int role
) noexcept nogil:
    """Give a message to those readers that have room.

    libzmq then leaves the others out, silently, until they have read on: what they miss meanwhile nobody can count.
    """
    cdef int on = 1, off = 0
    cdef Result result
    zmq.setsockopt(socket, OPT_XPUB_NODROP, &off, sizeof(off))
    result = send(loop, frames, count, socket, socket_type, role)
    zmq.setsockopt(socket, OPT_XPUB_NODROP, &on, sizeof(on))
    return result


cdef bint has_one_reader(Loop *loop, Direction *d) noexcept nogil:
    """Whether the reader that has no room is the only one that could get anything.

    A new one may have come whose subscription nobody has received yet. To look costs a system call, and once is enough
    while nothing is sent: who comes meanwhile has got nothing yet, and so misses nothing in between. Between two bursts
    subscriptions are received.
    """
    cdef int events = 0
    cdef size_t size = sizeof(events)
    if d.audience == NULL or d.audience.only == 0 or d.audience.several or d.audience.untold:
        return False
    if d.checked == d.counters[MESSAGES]:
        return True
    if zmq.getsockopt(d.destination, OPT_EVENTS, &events, &size) < 0 or events & CAN_RECEIVE:
        return False
    d.checked = d.counters[MESSAGES]
    return True


cdef Result miss(Loop *loop, Direction *d, zmq_msg_t *frames, size_t count) noexcept nogil:
    """Count a message for which a reader has no room, and give it to the others if there are any."""
    if has_one_reader(loop, d):
        return MISSED
    d.inexact[0] = 1
    d.counters[DROPPED] += 1
    return send_past_the_full(loop, frames, count, d.destination, d.destination_type, d.destination_role)


cdef inline void block(int64_t *counters) noexcept nogil:
    if not counters[BLOCKED_SINCE]:
        counters[BLOCKED] += 1
        counters[BLOCKED_SINCE] = clock_ns(CLOCK_MONOTONIC)


cdef inline void unblock(int64_t *counters) noexcept nogil:
    if counters[BLOCKED_SINCE]:
        counters[BLOCKED_TIME] += clock_ns(CLOCK_MONOTONIC) - counters[BLOCKED_SINCE]
        counters[BLOCKED_SINCE] = 0


cdef int copy_for_monitor(Direction *d, zmq_msg_t *frames, size_t count) noexcept nogil:
    """Fill ``d.copy`` with the prefix and the frames; libzmq shares the bytes of large frames."""
    cdef Frames *to = &d.copy
    cdef size_t i, shift = 1 if d.has_prefix else 0
    while to.capacity < count + shift:
        if grow(to):
            return ENOMEM
    if d.has_prefix:
        zmq.msg_copy(&to.items[0], &d.prefix)
    for i in range(count):
        zmq.msg_copy(&to.items[i + shift], &frames[i])
    to.size = count + shift
    d.copy_size = d.messages[d.sent].size + <int64_t>(zmq.msg_size(&d.prefix) if d.has_prefix else 0)
    return 0


cdef void drop_copy(Direction *d) noexcept nogil:
    clear(d.copy.items, d.copy.size)
    d.copy.size = 0


cdef Result publish_copy(Loop *loop, Direction *d) noexcept nogil:
    """Give the monitor its copy of the message that has just gone."""
    cdef Monitor *mon = &loop.monitor
    cdef Result result = DROP
    if not mon.single or d.copy.size == 1:
        result = send(loop, d.copy.items, d.copy.size, mon.socket, mon.type, 2)
    if result == FAIL:
        return FAIL
    if result == LATER and mon.blocks:
        block(mon.counters)
        return LATER
    if result == LATER and mon.refuses:
        loop.state[INEXACT + 2] = 1
        mon.counters[DROPPED] += 1
        result = send_past_the_full(loop, d.copy.items, d.copy.size, mon.socket, mon.type, 2)
        if result == FAIL:
            return FAIL
    unblock(mon.counters)
    if result == DONE:
        mon.counters[MESSAGES] += 1
        mon.counters[BYTES] += d.copy_size
        d.copy.size = 0
    else:
        mon.counters[DROPPED] += 1
        drop_copy(d)
    return DONE


cdef bint ends_here(Direction *d, zmq_msg_t *frame) noexcept nogil:
    """Whether a message that was refused is a subscription at a SUB, which asks by option: nothing is lost."""
    if d.source_type != XPUB or d.destination_type != SUB or zmq.msg_size(frame) == 0:
        return False
    return (<unsigned char *>zmq.msg_data(frame))[0] <= 1


cdef inline Result deliver(Loop *loop, Direction *d) noexcept nogil:
    """Pass on the first message pending; LATER when its destination or the monitor cannot take it yet."""
    cdef Monitor *mon = &loop.monitor
    cdef zmq_msg_t *frames = &d.batch.items[d.first]
    cdef Message *message = &d.messages[d.sent]
    cdef Result result
    if d.step == TO_DESTINATION:
        # Sending empties frames, so the copy comes first; a message that waits keeps the copy it has.
        if mon.socket != NULL and d.copy.size == 0 and (not mon.counts or mon.subscriptions > 0):
            if copy_for_monitor(d, frames, message.frames):
                return fail(loop, ENOMEM, 2)
        result = send(loop, frames, message.frames, d.destination, d.destination_type, d.destination_role)
        if result == LATER and d.refuses:
            result = miss(loop, d, frames, message.frames)
        if result == FAIL:
            return FAIL
        if result == LATER:
            block(d.counters)
            return LATER
        unblock(d.counters)
        if result == DONE:
            d.counters[MESSAGES] += 1
            d.counters[BYTES] += message.size
        else:
            if not ends_here(d, frames):
                d.counters[DROPPED] += 1
            d.messages[d.sent].size = -1    # for the taps, which show what has passed
            clear(frames, message.frames)
            if result == DROP:
                drop_copy(d)
        d.step = TO_MONITOR
    if d.copy.size:
        result = publish_copy(loop, d)
        if result != DONE:
            return result
    advance(d)
    return DONE
