# What the loop keeps while it runs, the layout of its counters, and its limits.

from libc.stdint cimport int64_t, uint64_t

from zmqtopo.loop.libzmq cimport zmq_msg_t


cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    const short POLLIN
    int poll(pollfd *fds, unsigned long nfds, int timeout)

cdef enum:
    MILLISECOND = 1_000_000     # nanoseconds

cdef enum:
    # A burst ends after so much work, so that the other direction and the control socket are never far. The work of a
    # message is its bytes and so much for itself and for each frame: a thousand small messages, four thousand frames of
    # longer ones, sixteen messages of 64 KiB, one of a megabyte.
    BURST = 1 << 20
    MESSAGE_WORK = 768
    FRAME_WORK = 256
    # Room for so many frames is kept when the batch is empty, twice those of a burst. Longer messages make
    # the loop find it anew each time, which takes a quarter longer.
    FRAMES_KEPT = 1 << 13
    # How often to try a socket that calls itself writable and refuses: the only wait with a time, in milliseconds.
    REFUSED_RETRY = 10
    # How long a stop goes on under a producer that never pauses, in milliseconds of moving messages.
    DRAIN_TIME = 80
    # How long a source must be idle before a stop believes it, in milliseconds: what has reached this machine is still
    # on its way through the kernel and libzmq's I/O thread.
    DRAIN_QUIET = 20
    # The same when another device has just passed on to it what that had left, by tcp or ipc: its socket is closed, and
    # two I/O threads have to get their turn, on a busy machine as well.
    DRAIN_QUIET_FED = 200
    # And how long in all, between messages that keep coming: at a thousand a second it is never idle for long.
    DRAIN_DRY = 3           # times the above

cdef enum:
    # Words of one line of counters (64 bytes: one cache line for each writer's direction).
    MESSAGES = 0
    BYTES = 1
    DROPPED = 2
    BLOCKED = 3
    BLOCKED_TIME = 4
    BLOCKED_SINCE = 5
    LAST = 6
    IN_HAND = 7
    LINE = 8

cdef enum:
    # Word 0 of the block.
    RUNNING = 1
    PAUSED = 2
    DRAINING = 3
    ENDED = 4

cdef enum:
    # Words 1, 2 and 3 of the block, for in to out, out to in and mon: 1 when DROPPED is a lower bound.
    INEXACT = 1

cdef enum Result:
    DONE = 0
    LATER = 1
    DROP = 2
    FAIL = 3
    MISSED = 4      # dropped for a reader without room; the monitor sees it as it sees what nobody has subscribed to

cdef enum Step:
    # Where the first message pending is. The destination comes before the monitor: a copy is shown only of a message
    # that its destination has taken.
    EMPTY = 0
    TO_DESTINATION = 1
    TO_MONITOR = 2

cdef enum:
    # Where the loop's own descriptors are among those that it polls; before them come in, out and mon, by role, and
    # behind them the taps, if there are any.
    CONTROL = 3
    WAKEUP = 4
    TAPS = 5
    POLLED = 7

cdef struct Frames:
    # Frames of whole messages. Every slot up to capacity is an initialised zmq_msg_t, so receiving needs no init.
    zmq_msg_t *items
    size_t size
    size_t capacity

cdef struct Message:
    # One of the messages pending.
    size_t frames
    int64_t size            # bytes of all frames

cdef enum:
    TOPICS = 1 << 13
    DESCRIPTORS = (1 << 16) - 1

cdef struct Readers:
    # Who reads from an XPUB, as far as libzmq says: of each topic it passes on the first subscription and the last
    # unsubscription, which comes by no descriptor when its reader has gone. So a topic stands for the reader who was first
    # to want it, until nobody does. Too few are counted when topics share a place or readers share their topics, and
    # that loses nothing; one too many when a reader has gone whose topics another one goes on to want.
    int64_t count
    # The only connection that has subscribed since nobody had, by its descriptor plus 1; 0 for none, -1 for one over
    # inproc, which has no descriptor. It holds only where every subscription is passed on, not the first alone.
    int only
    bint several
    bint untold             # somebody has subscribed to what is not remembered
    unsigned short owners[TOPICS]       # by a hash of the topic: the descriptor plus 1, 0 for none
    unsigned short topics[DESCRIPTORS]  # by descriptor: of how many it is the owner

cdef enum:
    # How an XPUB passes on subscriptions, as `zmqtopo.loop.Subscriptions` says.
    CHECKED = 1
    ALL_SUBSCRIPTIONS = 2
    ALL_UNSUBSCRIPTIONS = 4
    FIRST_FRAME_ONLY = 8
    # And what has been done to sockets that drop: they refuse what a reader has no room for, in, out and mon.
    REFUSES = 16            # shifted by the role
    EACH_REPORTED = 128

cdef struct Topic:
    uint64_t key            # a keyed hash of the topic, 0 where there is none
    int64_t passed          # subscriptions less unsubscriptions that have been passed on

cdef struct Topics:
    # What an XPUB has asked the other side for: open addressing with linear probing, at most half full.
    Topic *slots
    size_t capacity
    int64_t count
    uint64_t secret[2]

cdef enum:
    # The first byte of what a tap sends and of what its readers subscribe to; see tap.pxi. libzmq subscribes again
    # after a disconnect in this order, so that a marker comes behind what it is to count.
    IN_TO_OUT = 1
    OUT_TO_IN = 2
    PRESENCE = 3
    MARKER = 4
    # Bytes of the first frame that a header has: with them it has 33, which libzmq keeps in the message itself.
    HEAD = 16
    # How long a stop waits in all for the readers of a tap that blocks, in milliseconds.
    TAP_TIME = 500

cdef struct Tap:
    # Where copies of what passes go while somebody looks.
    void *socket            # an XPUB, or NULL
    bint blocks             # a copy for which there is no room waits, and its direction with it
    bint full               # it had no room for the last one, and has not said yet that it has again
    int readers
    int wanted[2]           # subscriptions to in to out and to out to in

cdef struct Copies:
    # Copies for the taps of the messages of one batch.
    Frames frames
    Message *messages       # those that are done with; a size below 0 says that one was dropped
    int room                # for so many
    int count               # messages copied
    int base                # where the first of them is in the batch
    int done                # of these, those that the direction is done with
    int shown               # and those that the taps have got
    size_t first            # where the frames of the next one to show begin
    int64_t number          # of the last one shown
    bint waits              # a reader that is waited for has no room

cdef struct Direction:
    # What every message needs comes first and close together, what only a stop needs last.
    void *source
    void *destination
    int64_t *counters
    Message *messages       # room for as many as the batch has for frames
    Frames batch
    size_t first            # where the frames of the next one pending begin
    int received            # messages that have been taken into the batch
    int sent                # and of these, those that are done with
    int most                # messages pending at most
    Step step
    bint idle               # the source was empty or the destination full: nothing to do until a socket becomes ready
    bint swap               # ROUTER to ROUTER: destination and sender change places
    bint open               # the source is of a type that can receive
    int source_type
    int destination_type
    int source_role
    int destination_role
    Readers *readers        # of an XPUB that is the source; NULL for others
    Topics *topics          # of an XPUB whose subscriptions are checked; NULL for others
    bint filters            # the destination is an XSUB: not everything may reach it
    bint refuses            # the destination says when a reader has no room, instead of dropping silently
    Readers *audience       # of the destination, where each of its subscriptions is known; NULL for others
    int64_t checked         # MESSAGES when it was last made sure that no new reader waits to be noted
    int64_t *inexact        # whether DROPPED is a lower bound
    int64_t send_quota      # of the messages pending, for each reader of a socket that drops; 0 for others
    Frames copy             # of the next one, for the monitor
    int64_t copy_size       # and its bytes
    bint tapped             # a tap wants copies
    Copies copies           # for it
    bint has_prefix
    zmq_msg_t prefix        # first frame of every copy for the monitor
    bint drained            # a stop has found nothing more to pass on
    int64_t idle_since       # when a stop first found nothing, 0 when there was something
    int64_t idle_time        # nanoseconds that the source was idle before, since the stop
    int64_t drain_time      # nanoseconds spent moving since the stop
    int64_t drain_count     # messages moved since the stop
    int64_t drain_least     # and how many it moves at least: the receive HWM of each peer
    int64_t peers           # seen since the stop, and which: a bit for each descriptor
    unsigned char seen[8192]

cdef struct Monitor:
    void *socket
    int type
    bint blocks             # a copy that cannot go waits and its direction with it
    bint refuses            # it says when a reader has no room, instead of dropping silently
    bint single             # it conflates: libzmq would keep parts of messages, or abort when their reader goes
    bint counts             # a PUB or XPUB whose topics libzmq counts
    bint asked              # subscribers may have asked for something that is not counted yet
    int subscriptions       # topics that somebody wants
    int64_t *counters

cdef struct Loop:
    Direction forward       # in to out
    Direction back          # out to in
    Monitor monitor
    Tap taps[2]             # the one that leaves out, and the one that blocks
    int64_t taps_wait_since # when a stop began to wait for a reader, 0 before
    void *sockets[3]        # in, out, mon: by role
    pollfd polled[POLLED]   # poll(2) ignores those that are -1
    int polled_count
    int subscription_flags
    int64_t longest_topic   # bytes
    int64_t most_topics
    int64_t most_frames     # of a message
    int64_t work            # done since control was looked at
    int64_t *state
    void *attend            # the Python callable, or NULL
    bint paused
    bint stopping
    int quiet               # milliseconds that a source must be idle before a stop believes it
    bint now
    int error
    int error_role
