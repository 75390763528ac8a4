# Copies of what passes, for those who look at a device while it runs. Part of _loop.pyx.
#
# A tap is an XPUB that `attend` brings when somebody looks and takes away when nobody does. Two can be there: one that
# leaves out what its readers have no room for, and one for which the direction waits. What a reader subscribes to is
# what it asks of the tap, by the first byte of the topic:
#
#     IN_TO_OUT, OUT_TO_IN    messages of a flow; more bytes ask for those whose first frame begins so
#     PRESENCE                nothing; it says that there is a reader
#     MARKER, and any token   the numbers of both flows, as they are now, and with MARKER alone at the end too
#
# A copy is a header and the frames of the message. The header is the flow's byte, up to HEAD bytes of the first frame,
# so that libzmq filters by it, and then the number of the message and the time in nanoseconds since 1970, as the machine
# writes numbers. An answer to MARKER is the topic and a frame with two numbers and the time. The number of a message is
# the counter MESSAGES of its flow, so what a reader has missed is known from the numbers alone.

cdef inline int flow_of(Loop *loop, Direction *d) noexcept nogil:
    return 0 if d == &loop.forward else 1


cdef void note_taps(Loop *loop) noexcept nogil:
    """Note for each direction whether its messages are to be copied."""
    cdef Tap *drops = &loop.taps[0]
    cdef Tap *blocks = &loop.taps[1]
    loop.forward.tapped = drops.wanted[0] > 0 and not drops.full or blocks.wanted[0] > 0
    loop.back.tapped = drops.wanted[1] > 0 and not drops.full or blocks.wanted[1] > 0
    if loop.forward.copies.waits:
        loop.forward.tapped = True
    if loop.back.copies.waits:
        loop.back.tapped = True


cdef void set_tap(Loop *loop, int which, void *socket) noexcept nogil:
    """Go over to another socket, or to none, for one of the taps."""
    cdef Tap *tap = &loop.taps[which]
    if tap.socket == socket:
        return
    memset(tap, 0, sizeof(tap[0]))
    tap.socket = socket
    tap.blocks = which == 1
    loop.polled[TAPS + which].fd = int_option(socket, OPT_FD) if socket != NULL else -1
    loop.polled_count = POLLED if loop.taps[0].socket != NULL or loop.taps[1].socket != NULL else TAPS
    # What waits for a reader that has gone is let go by `show_copies`, which finds that nobody wants it.
    note_taps(loop)
    if socket != NULL:
        # Its readers may have subscribed already, and the descriptor does not tell of it again.
        process_tap(loop, tap)


cdef void process_tap(Loop *loop, Tap *tap) noexcept nogil:
    """Take in what the readers of a tap ask for, and that they have room again."""
    cdef int events = 0
    cdef size_t size = sizeof(events)
    cdef zmq_msg_t request
    cdef int rc
    zmq.getsockopt(tap.socket, OPT_EVENTS, &events, &size)
    zmq.msg_init(&request)
    while True:
        rc = zmq.msg_recv(&request, tap.socket, DONTWAIT)
        if rc < 0 and zmq.zmq_errno() != EINTR:
            break
        if rc >= 2:
            take_request(loop, tap, <unsigned char *>zmq.msg_data(&request), <size_t>rc)
    zmq.msg_close(&request)
    tap.full = False
    note_taps(loop)
    if loop.forward.copies.waits:
        loop.forward.idle = False
    if loop.back.copies.waits:
        loop.back.idle = False


cdef void take_request(Loop *loop, Tap *tap, unsigned char *data, size_t size) noexcept nogil:
    """Take in a subscription, which begins with 1, or an unsubscription, with 0."""
    cdef int change = 1 if data[0] == 1 else -1
    if data[0] > 1:
        return
    if data[1] == IN_TO_OUT or data[1] == OUT_TO_IN:
        tap.wanted[data[1] - IN_TO_OUT] += change
    elif data[1] == PRESENCE:
        tap.readers += change
        # With one reader a tap that refuses says that nothing need be copied before there is room. With several it
        # would let the slowest decide for all.
        set_refuses(tap.socket, tap.blocks or tap.readers < 2)
    elif data[1] == MARKER and data[0] == 1:
        answer_marker(loop, tap, data + 1, size - 1)


cdef void set_refuses(void *socket, int refuses) noexcept nogil:
    zmq.setsockopt(socket, OPT_XPUB_NODROP, &refuses, sizeof(refuses))


cdef inline int64_t shown_up_to(Direction *d) noexcept nogil:
    """The number of the last message whose copy has gone or never will."""
    return d.copies.number if d.copies.count else d.counters[MESSAGES]


cdef void answer_marker(Loop *loop, Tap *tap, unsigned char *topic, size_t size) noexcept nogil:
    """Send the numbers behind the copies that have gone; a reader that has no room asks again."""
    cdef zmq_msg_t frames[2]
    cdef int64_t *words
    if zmq.msg_init_size(&frames[0], size) < 0:
        return
    memcpy(zmq.msg_data(&frames[0]), topic, size)
    if zmq.msg_init_size(&frames[1], 3 * sizeof(int64_t)) == 0:
        words = <int64_t *>zmq.msg_data(&frames[1])
        words[0] = shown_up_to(&loop.forward)
        words[1] = shown_up_to(&loop.back)
        words[2] = clock_ns(CLOCK_REALTIME)
        send_to_tap(tap.socket, frames, 2)
        zmq.msg_close(&frames[1])
    zmq.msg_close(&frames[0])


cdef void say_the_end(Loop *loop) noexcept nogil:
    """The last that readers hear of this loop are its numbers; those who have no room miss that too."""
    cdef unsigned char topic = MARKER
    cdef int which
    for which in range(2):
        if loop.taps[which].socket != NULL:
            answer_marker(loop, &loop.taps[which], &topic, 1)


cdef bint send_to_tap(void *socket, zmq_msg_t *frames, size_t count) noexcept nogil:
    """Give a tap a whole message; False when a reader has no room, and then nothing has gone.

    An XPUB that has taken the first frame takes the others: its high-water mark counts messages.
    """
    cdef size_t i
    cdef int rc
    for i in range(count):
        rc = zmq.msg_send(&frames[i], socket, DONTWAIT | SNDMORE if i + 1 < count else DONTWAIT)
        while rc < 0 and zmq.zmq_errno() == EINTR:
            rc = zmq.msg_send(&frames[i], socket, DONTWAIT | SNDMORE if i + 1 < count else DONTWAIT)
        if rc < 0 and i == 0:
            return False
    return True


# ---- copies of what is pending -----------------------------------------------------------------------------------

cdef void copy_pending(Direction *d) noexcept nogil:
    """Copy the messages pending, unless they have copies; without memory they get none, and nobody sees them.

    Sending empties frames, so it comes first; and a batch that has copies keeps them until all of it is done.
    """
    cdef Copies *copies = &d.copies
    cdef size_t i, first = d.first
    cdef int base = d.sent
    if copies.count:
        return
    if d.step == TO_MONITOR:        # the destination has taken the first one, and its frames are empty
        first += d.messages[base].frames
        base += 1
    copies.frames.size = 0
    while copies.frames.capacity < d.batch.size - first + 1:
        if grow(&copies.frames):
            return
    if copies.room < d.received - base:
        free(copies.messages)
        copies.room = 0
        copies.messages = <Message *>malloc(d.batch.capacity * sizeof(Message))
        if copies.messages == NULL:
            return
        copies.room = <int>d.batch.capacity
    for i in range(d.batch.size - first):
        zmq.msg_copy(&copies.frames.items[i], &d.batch.items[first + i])
    copies.frames.size = d.batch.size - first
    copies.count = d.received - base
    copies.base = base
    copies.first = 0
    copies.done = copies.shown = 0
    copies.number = d.counters[MESSAGES]


cdef void drop_copies(Direction *d) noexcept nogil:
    """Let go of the copies of the messages pending."""
    cdef Copies *copies = &d.copies
    clear(&copies.frames.items[copies.first], copies.frames.size - copies.first)
    copies.count = copies.done = copies.shown = 0
    copies.frames.size = copies.first = 0
    if copies.waits:
        copies.waits = False
        unblock(d.counters)
    if copies.frames.capacity > FRAMES_KEPT:
        release(&copies.frames)
        free(copies.messages)
        memset(copies, 0, sizeof(copies[0]))


cdef Result show_copies(Loop *loop, Direction *d) noexcept nogil:
    """Give the taps the copies of what has passed; LATER when a reader that is waited for has no room."""
    cdef Copies *copies = &d.copies
    cdef Message *message
    cdef Result result
    cdef int64_t now = clock_ns(CLOCK_REALTIME)
    cdef int i, done = copies.count if d.step == EMPTY else max(d.sent - copies.base, 0)
    if not copies.waits:
        # The batch may be filled anew before all have been shown. A size below 0 says that a message was dropped.
        for i in range(copies.done, done):
            copies.messages[i] = d.messages[copies.base + i]
        copies.done = done
    while copies.shown < copies.done and d.tapped:
        message = &copies.messages[copies.shown]
        if message.size >= 0:
            result = show(loop, d, message.frames, now)
            if result == LATER:
                return LATER
            copies.number += 1
        clear(&copies.frames.items[copies.first], message.frames)
        copies.first += message.frames
        copies.shown += 1
    if copies.shown == copies.count or not d.tapped:
        drop_copies(d)
    return DONE


cdef Result show(Loop *loop, Direction *d, size_t count, int64_t now) noexcept nogil:
    """Give the taps the first copy; LATER when a reader that is waited for has no room."""
    cdef Copies *copies = &d.copies
    cdef Tap *drops = &loop.taps[0]
    cdef Tap *blocks = &loop.taps[1]
    cdef int flow = flow_of(loop, d)
    cdef bint drops_wants = drops.wanted[flow] > 0 and not drops.full
    if blocks.wanted[flow] > 0:
        if not show_to(blocks, d, flow, count, now, drops_wants) and still_blocks(loop, blocks):
            if not copies.waits:
                copies.waits = True
                block(d.counters)
            return LATER
    if copies.waits:
        copies.waits = False
        unblock(d.counters)
        note_taps(loop)
    if drops_wants and not show_to(drops, d, flow, count, now, False):
        drops.full = True
        note_taps(loop)
    return DONE


cdef bint show_to(Tap *tap, Direction *d, int flow, size_t count, int64_t now, bint keep) noexcept nogil:
    """Give a tap the first copy, or a copy of it to ``keep`` it; False when a reader has no room."""
    cdef Copies *copies = &d.copies
    cdef zmq_msg_t *frames = &copies.frames.items[copies.first]
    cdef zmq_msg_t header, frame
    cdef size_t i
    cdef bint sent
    make_header(&header, &frames[0], flow, copies.number + 1, now)
    sent = send_header(tap.socket, &header)
    zmq.msg_close(&header)
    if not sent or not keep:
        return sent and send_to_tap(tap.socket, frames, count)
    zmq.msg_init(&frame)
    for i in range(count):
        zmq.msg_copy(&frame, &frames[i])
        while zmq.msg_send(&frame, tap.socket, DONTWAIT | SNDMORE if i + 1 < count else DONTWAIT) < 0:
            if zmq.zmq_errno() != EINTR:
                break
    zmq.msg_close(&frame)
    return True


cdef bint send_header(void *socket, zmq_msg_t *header) noexcept nogil:
    while zmq.msg_send(header, socket, DONTWAIT | SNDMORE) < 0:
        if zmq.zmq_errno() != EINTR:
            return False
    return True


cdef void make_header(zmq_msg_t *header, zmq_msg_t *first, int flow, int64_t number, int64_t now) noexcept nogil:
    """Make the frame that goes before a copy; at 33 bytes at most libzmq needs no memory for it."""
    cdef size_t head = min(zmq.msg_size(first), <size_t>HEAD)
    cdef unsigned char *data
    zmq.msg_init_size(header, 1 + head + 2 * sizeof(int64_t))
    data = <unsigned char *>zmq.msg_data(header)
    data[0] = <unsigned char>(IN_TO_OUT + flow)
    memcpy(data + 1, zmq.msg_data(first), head)
    memcpy(data + 1 + head, &number, sizeof(number))
    memcpy(data + 1 + head + sizeof(number), &now, sizeof(now))


cdef bint still_blocks(Loop *loop, Tap *tap) noexcept nogil:
    """Whether a direction waits for a tap that has no room: a stop waits only so long for its readers."""
    cdef int64_t now
    if tap.blocks and loop.stopping:
        now = clock_ns(CLOCK_MONOTONIC)
        if loop.taps_wait_since == 0:
            loop.taps_wait_since = now
        tap.blocks = now - loop.taps_wait_since < TAP_TIME * MILLISECOND
    return tap.blocks


cdef bint taps_wait(Loop *loop) noexcept nogil:
    """At the end of a stop: whether copies of what has passed wait for a reader that a stop waits for."""
    if loop.forward.copies.waits:
        show_copies(loop, &loop.forward)
    if loop.back.copies.waits:
        show_copies(loop, &loop.back)
    return loop.forward.copies.waits or loop.back.copies.waits


cdef void release_copies(Direction *d) noexcept nogil:
    release(&d.copies.frames)
    free(d.copies.messages)
