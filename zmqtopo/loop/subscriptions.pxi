# Who has subscribed, to a monitor and to a destination that drops what its readers have no room for. In _loop.pyx.

cdef int count_topics(Loop *loop) noexcept nogil:
    """Ask libzmq how many topics the readers of a monitor want; -1 on error.

    It knows what each reader really has, so that nobody can take away what others want, and nothing waits to be read.
    """
    cdef size_t size = sizeof(loop.monitor.subscriptions)
    loop.monitor.asked = False
    if zmq.getsockopt(loop.monitor.socket, OPT_TOPICS_COUNT, &loop.monitor.subscriptions, &size) < 0:
        fail(loop, zmq.zmq_errno(), 2)
        return -1
    return 0


cdef bint can_count(void *socket, int socket_type) noexcept nogil:
    """Whether that a socket has no topics means that nobody gets anything: libzmq 4.3.4 cannot say."""
    cdef int value = 0
    cdef size_t size = sizeof(value)
    if socket_type != PUB and socket_type != XPUB or int_option(socket, OPT_INVERT_MATCHING):
        return False
    return zmq.getsockopt(socket, OPT_TOPICS_COUNT, &value, &size) == 0


cdef void note_readers(Direction *d) noexcept nogil:
    """Count the readers of an XPUB by the subscriptions and unsubscriptions pending."""
    cdef zmq_msg_t *frame = d.batch.items
    cdef int i
    for i in range(d.received):
        note_reader(d.readers, frame)
        frame += d.messages[i].frames


cdef inline void note_connection(Readers *readers, int fd) noexcept nogil:
    """Take in where a subscription came from, to know whether there is one reader or several."""
    if readers.only == 0:
        readers.only = fd + 1 if fd >= 0 else -1
    elif fd < 0 or readers.only != fd + 1:
        readers.several = True


cdef inline void note_reader(Readers *readers, zmq_msg_t *frame) noexcept nogil:
    """Take in one subscription, which begins with 1, or unsubscription, with 0; the topic follows."""
    cdef unsigned char *data = <unsigned char *>zmq.msg_data(frame)
    cdef size_t i, size = zmq.msg_size(frame)
    cdef unsigned int hashed = 2166136261    # FNV-1a
    cdef unsigned short *owner
    cdef int fd
    if size == 0 or data[0] > 1:
        return
    if data[0] == 1:
        note_connection(readers, zmq.msg_get(frame, PROPERTY_SRCFD))
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
    if d.send_quota:
        d.most = <int>min(d.drain_least, d.send_quota * readers, <int64_t>INT_MAX)


# ---- what may go on to an XSUB -----------------------------------------------------------------------------------

cdef inline uint64_t rotate(uint64_t x, int bits) noexcept nogil:
    return x << bits | x >> 64 - bits


cdef inline void sip_round(uint64_t *v) noexcept nogil:
    v[0] += v[1]
    v[2] += v[3]
    v[1] = rotate(v[1], 13) ^ v[0]
    v[3] = rotate(v[3], 16) ^ v[2]
    v[0] = rotate(v[0], 32)
    v[2] += v[1]
    v[0] += v[3]
    v[1] = rotate(v[1], 17) ^ v[2]
    v[3] = rotate(v[3], 21) ^ v[0]
    v[2] = rotate(v[2], 32)


cdef uint64_t topic_key(Topics *topics, unsigned char *topic, size_t size) noexcept nogil:
    """SipHash-1-3 (Aumasson and Bernstein, 2012): anyone who does not know the secret can make no two topics meet."""
    cdef uint64_t v[4]
    cdef uint64_t word
    cdef size_t at = 0
    v[0] = topics.secret[0] ^ 0x736f6d6570736575ULL
    v[1] = topics.secret[1] ^ 0x646f72616e646f6dULL
    v[2] = topics.secret[0] ^ 0x6c7967656e657261ULL
    v[3] = topics.secret[1] ^ 0x7465646279746573ULL
    while True:
        word = 0
        if size - at >= 8:
            memcpy(&word, topic + at, 8)
        else:
            memcpy(&word, topic + at, size - at)
            word |= <uint64_t>(size & 0xff) << 56
        v[3] ^= word
        sip_round(v)
        v[0] ^= word
        if size - at < 8:
            break
        at += 8
    v[2] ^= 0xff
    sip_round(v)
    sip_round(v)
    sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3] or 1


cdef Topic *find_topic(Topics *topics, uint64_t key) noexcept nogil:
    """Where a topic is, or the free place where it belongs."""
    cdef size_t at = key & topics.capacity - 1
    while topics.slots[at].key != key and topics.slots[at].key != 0:
        at = at + 1 & topics.capacity - 1
    return &topics.slots[at]


cdef int resize_topics(Topics *topics, size_t capacity) noexcept nogil:
    cdef Topic *before = topics.slots
    cdef size_t i, count = topics.capacity
    cdef Topic *slots = <Topic *>calloc(capacity, sizeof(Topic))
    if slots == NULL:
        return ENOMEM
    topics.slots = slots
    topics.capacity = capacity
    for i in range(count):
        if before[i].key:
            find_topic(topics, before[i].key)[0] = before[i]
    free(before)
    return 0


cdef int add_topic(Topics *topics, uint64_t key) noexcept nogil:
    cdef Topic *topic
    if 2 * <size_t>(topics.count + 1) > topics.capacity and resize_topics(topics, 2 * topics.capacity):
        return ENOMEM
    topic = find_topic(topics, key)
    topic.key = key
    topic.passed = 1
    topics.count += 1
    return 0


cdef void remove_topic(Topics *topics, Topic *topic) noexcept nogil:
    """Free a place and move up what follows, as a search ends at the first free one."""
    cdef size_t mask = topics.capacity - 1
    cdef size_t hole = topic - topics.slots, at = hole, home
    while True:
        at = at + 1 & mask
        if topics.slots[at].key == 0:
            break
        home = topics.slots[at].key & mask
        if (at - home & mask) >= (at - hole & mask):
            topics.slots[hole] = topics.slots[at]
            hole = at
    topics.slots[hole].key = 0
    topics.count -= 1


cdef Topics *new_topics() except NULL:
    cdef Topics *topics = <Topics *>calloc(1, sizeof(Topics))
    if topics == NULL:
        raise MemoryError
    memcpy(topics.secret, PyBytes_AsString(_os.urandom(sizeof(topics.secret))), sizeof(topics.secret))
    if resize_topics(topics, 64):
        free(topics)
        raise MemoryError
    return topics


cdef bint has_reader(void *xpub, unsigned char *topic, size_t size) noexcept nogil:
    """Whether anybody has subscribed to exactly this topic of an XPUB, by what libzmq's own table says now.

    With ZMQ_XPUB_MANUAL the caller subscribes in the name of the peer whose request was received last, which is the
    socket itself (see `zmqtopo.broker.subscriptions.prepare`); the topic is new if that changes the number of topics.
    """
    cdef int on = 1, off = 0, before = 0, after = 0
    cdef size_t length = sizeof(int)
    zmq.setsockopt(xpub, OPT_XPUB_MANUAL, &on, sizeof(on))
    zmq.getsockopt(xpub, OPT_TOPICS_COUNT, &before, &length)
    zmq.setsockopt(xpub, OPT_SUBSCRIBE, topic, size)
    zmq.getsockopt(xpub, OPT_TOPICS_COUNT, &after, &length)
    zmq.setsockopt(xpub, OPT_UNSUBSCRIBE, topic, size)
    zmq.setsockopt(xpub, OPT_XPUB_MANUAL, &off, sizeof(off))
    return before == after


cdef inline bint is_subscription(zmq_msg_t *frame) noexcept nogil:
    """Whether an XSUB takes a frame for a subscription, which begins with 1, or an unsubscription, with 0."""
    return zmq.msg_size(frame) > 0 and (<unsigned char *>zmq.msg_data(frame))[0] <= 1


cdef void refuse_topic(Direction *d) noexcept nogil:
    if d.destination_type != SUB:       # which would not have taken it either: nothing is lost
        d.counters[DROPPED] += 1
    # It has a reader all the same: from now on nobody can tell whether there is only one.
    if d.readers != NULL:
        d.readers.untold = True


cdef int passes_on(Loop *loop, Direction *d, zmq_msg_t *frame) noexcept nogil:
    """Whether the other side has to know of a subscription or unsubscription: 1 or 0; -1 without memory.

    libzmq passes on an unsubscription from what its reader never had, which would cut off all others. So what counts
    is not the message but whether the topic has a reader now. What has been asked for is remembered: a topic that lost
    its last reader and has another one since has been asked for already. And nothing is asked for whose reader is gone.
    """
    cdef unsigned char *data = <unsigned char *>zmq.msg_data(frame)
    cdef size_t size = zmq.msg_size(frame) - 1
    cdef bint subscribes = data[0] == 1
    cdef Topic *topic
    cdef uint64_t key
    if <int64_t>size > loop.longest_topic:
        refuse_topic(d)
        return 0
    if d.topics == NULL:
        return 1
    key = topic_key(d.topics, data + 1, size)
    topic = find_topic(d.topics, key)
    if subscribes and topic.key:
        topic.passed += 1 if loop.subscription_flags & ALL_SUBSCRIPTIONS else 0
        return loop.subscription_flags & ALL_SUBSCRIPTIONS != 0
    if subscribes:
        if not loop.subscription_flags & ALL_SUBSCRIPTIONS and not has_reader(d.source, data + 1, size):
            return 0
        if d.topics.count >= loop.most_topics:
            refuse_topic(d)
            return 0
        return -1 if add_topic(d.topics, key) else 1
    if topic.key == 0:
        return 0
    if topic.passed > 1 and loop.subscription_flags & ALL_UNSUBSCRIPTIONS:
        topic.passed -= 1
        return 1
    if has_reader(d.source, data + 1, size):
        return 0
    remove_topic(d.topics, topic)
    return 1


cdef int may_pass(Loop *loop, Direction *d, zmq_msg_t *frames, size_t count) noexcept nogil:
    """How many frames of a message, counted from its end, go on to an XSUB; -1 without memory.

    An XPUB ends a message with a subscription that stands in it, and an XSUB looks at every frame.
    """
    cdef size_t i
    if d.source_type == XPUB and count == 1:
        return passes_on(loop, d, frames) if is_subscription(frames) else 1
    if d.source_type == XPUB and not loop.subscription_flags & FIRST_FRAME_ONLY:
        for i in range(count):
            if is_subscription(&frames[i]):
                d.counters[DROPPED] += 1
                return passes_on(loop, d, &frames[count - 1]) if is_subscription(&frames[count - 1]) else 0
    elif d.source_type != XPUB:
        for i in range(count):
            if is_subscription(&frames[i]) and <int64_t>zmq.msg_size(&frames[i]) - 1 > loop.longest_topic:
                d.counters[DROPPED] += 1
                return 0
    return <int>count


cdef int filter_subscriptions(Loop *loop, Direction *d) noexcept nogil:
    """Leave pending what may go on to an XSUB; ENOMEM or 0."""
    cdef zmq_msg_t *items = d.batch.items
    cdef size_t at = 0, to = 0, count, j
    cdef int i, kept = 0, passed
    for i in range(d.received):
        count = d.messages[i].frames
        passed = may_pass(loop, d, items + at, count)
        if passed < 0:
            return ENOMEM
        if passed and passed < <int>count:
            d.messages[i].size = zmq.msg_size(items + at + count - 1)
        at += count
        for j in range(at - passed, at):
            if to != j:
                zmq.msg_move(items + to, items + j)
            to += 1
        if passed:
            d.messages[kept].frames = passed
            d.messages[kept].size = d.messages[i].size
            kept += 1
    clear(items + to, at - to)
    d.batch.size = to
    d.received = kept
    if d.topics != NULL and d.topics.count == 0:
        d.readers.only = 0
        d.readers.several = False
    return 0
