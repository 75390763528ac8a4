# Who has subscribed: to a monitor, and to a destination that drops what its readers have no room for. Part of _loop.pyx.

cdef int read_subscriptions(Loop *loop) noexcept nogil:
    """Count what the subscribers of an XPUB monitor want: libzmq reports each topic's first comer and last leaver."""
    cdef zmq_msg_t msg
    cdef int rc, err = 0
    cdef char *data
    loop.monitor.asked = False
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


cdef void note_readers(Direction *d) noexcept nogil:
    """Count the readers of an XPUB by the subscriptions and unsubscriptions in hand."""
    cdef zmq_msg_t *frame = d.hand.items
    cdef int i
    for i in range(d.received):
        note_reader(d.readers, frame)
        frame += d.messages[i].frames


cdef inline void note_reader(Readers *readers, zmq_msg_t *frame) noexcept nogil:
    """Take in one subscription, which begins with 1, or unsubscription, with 0; the topic follows."""
    cdef unsigned char *data = <unsigned char *>zmq.msg_data(frame)
    cdef size_t i, size = zmq.msg_size(frame)
    cdef unsigned int hashed = 2166136261    # FNV-1a
    cdef unsigned short *owner
    cdef int fd
    if size == 0 or data[0] > 1:
        return
    for i in range(1, size):
        hashed = (hashed ^ data[i]) * 16777619
    owner = &readers.owners[hashed % TOPICS]
    if data[0] == 1 and owner[0] == 0:
        fd = zmq.msg_get(frame, PROPERTY_SRCFD)
        if 0 <= fd < DESCRIPTORS:
            owner[0] = fd + 1
            readers.topics[fd] += 1
            if readers.topics[fd] == 1:
                readers.count += 1
    elif data[0] == 0 and owner[0] != 0:
        fd = owner[0] - 1
        owner[0] = 0
        readers.topics[fd] -= 1
        if readers.topics[fd] == 0:
            readers.count -= 1


cdef inline void limit(Direction *d, int64_t readers) noexcept nogil:
    """Give a socket that drops only so much at a time as the queues of its readers have room for, in eighths.

    To a single one, a whole HWM at once lost 20% of a full stream, and an eighth 6%. Ten or a hundred share the stream,
    and take 10% less CPU a message from a larger part, as it wakes the I/O thread less often.
    """
    if d.share:
        d.most = <int>min(d.drain_least, d.share * readers, <int64_t>INT_MAX)
