// stream.hpp: a connection: a reader and a writer over one descriptor (or over
// another layer: a pair in memory, TLS).
//
// The descriptor is registered once, edge triggered, and what the kernel said
// is kept in `state` as readiness bits. Nothing is read before somebody asks:
// a read takes from the kernel what it hands out, through the loop's one read
// buffer, and only what is left over stays in `unread`. A write goes to the
// kernel at once; only what that does not take is queued, and flushed when the
// stream turns writable. So an idle stream owns no buffer, and the kernel's
// buffers push back on the peer.
//
// A read that got less than it asked for has (on a kernel's socket) emptied
// it, but an end or a reset may stand behind the data. The end is announced
// with k_hangup; that no reset came is proved by the next write that
// succeeds, or else by one more read, which says EAGAIN. So a request and its
// answer cost one read and one write (see pull and confirm).
//
// Whoever must be told instead of asking (a protocol, a layer above) is the
// stream's user. Then the stream reads by itself, once an iteration.
//
// Life, as asyncio's transport: close() stops reading and flushes; lose() gives
// up at once; both end, one iteration later, in `over`, where the descriptor is
// closed and everybody who waits is woken.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/stream.h>

#include "../base/bytes.hpp"
#include "kept_address.hpp"
#include "waiting.hpp"

namespace aloop {

struct server;
struct stream;

// What lies under a stream's buffers. Each call returns as the system call
// does, or -errno; -EAGAIN: not now, the stream is told when (stream_ready).
struct stream_layer {
    int64_t (*read)(stream *s, void *to, size_t n);  // also -EALREADY: see pull()
    int64_t (*write)(stream *s, const iovec *parts, int n);
    int64_t (*end)(stream *s);  // no more writes; nullptr: there is no half close
    void (*close)(stream *s);
    // Whether a read that got less than it asked for has emptied it.
    bool (*trusts_short_reads)(stream *s);
    // What has ended the connection behind unread data; nullptr: reads tell.
    int64_t (*failure)(stream *s) = nullptr;
    // As sendfile(2); nullptr: by reading and writing.
    int64_t (*send_file)(stream *s, int fd, int64_t *offset, size_t n) = nullptr;
    // Of a layer that transforms what it carries (TLS); nullptr: nothing to do.
    // Sends what write() took and could not pass on: -EAGAIN while some is left.
    int64_t (*flush)(stream *s) = nullptr;
    // The farewell of an orderly close, called again while it gives -EAGAIN. A
    // layer with a farewell cannot be half open: the peer's ends the stream.
    int64_t (*finish)(stream *s) = nullptr;
    // More names for get_extra_info: the length of the text, or ALOOP_ENOENT.
    int64_t (*info)(stream *s, const char *name, char *buffer, size_t size) = nullptr;
};

// Who takes what happens to a stream, on the loop's own stack. `over` is told of
// a connection's end, at most once; `drop` comes last, when the stream goes or
// another user takes its place, and frees the user.
struct stream_user;
struct user_calls {
    void (*made)(stream_user *u, stream *s);
    void (*readable)(stream_user *u, stream *s);  // pull() has something, or the end
    void (*writing)(stream_user *u, stream *s, bool paused);
    void (*over)(stream_user *u, stream *s);
    void (*drop)(stream_user *u);
};
struct stream_user {
    const user_calls *calls;
};

enum stream_flags : uint32_t {
    k_connecting = 0x1,
    k_closing = 0x2,       // close() was called, or it is lost
    k_lost = 0x4,          // no more input or output
    k_over = 0x8,          // the descriptor is closed
    k_at_end = 0x10,       // the peer's end was read
    k_end_wanted = 0x20,   // write_eof() was called
    k_reading_paused = 0x40,
    k_writing_paused = 0x80,  // above the high-water mark
    k_queued = 0x100,      // the node stands in a queue and holds a reference
    k_io_due = 0x200,
    k_over_due = 0x400,
    k_drained = 0x800,     // the last read got less than it asked for
    k_made_due = 0x1000,   // its user is to be told that it is there
    k_flushing = 0x2000,   // closing, once what is queued is sent
    k_in_order = 0x4000,   // closed by close(), not by abort() or a failure
    k_sending_file = 0x8000,
    k_suspect = 0x10000,   // what became ready while nobody reads may be a failure
    k_one_way_out = 0x20000,  // a pipe to write to: its end is its closing
    k_writing_due = 0x40000,  // its user is to be told whether writing is paused
    k_held = 0x80000,      // holds a reference to itself until it is over
    k_unsent = 0x100000,   // the layer has output that it could not pass on
    k_upgrading = 0x200000,  // what comes is for a layer that is about to be put on it
    k_stopped = 0x400000,  // the last read may have stopped before all that was there
};

// Unread bytes, and bytes to be written: blocks that go when they are empty.
struct stash {
    size_t begin, end, room;
    uint8_t *data() { return reinterpret_cast<uint8_t *>(this + 1); }
};
struct chunk {
    chunk *next;
    size_t begin, end, room;
    uint8_t *data() { return reinterpret_cast<uint8_t *>(this + 1); }
};

struct stream final : loop_object, io, node, self_held {
    const stream_layer *layer;
    void *lower = nullptr;        // the layer's own
    stream_user *user = nullptr;  // owned
    // Reading.
    stash *unread = nullptr;
    future *reading = nullptr;  // what the one reader waits on; the operation owns it
    // Writing.
    chunk *queue_tail = nullptr;  // of a circle: its next is the head
    size_t queued_bytes = 0;
    ring waiters;  // ring_waiter
    // Ending.
    error *failure = nullptr;
    aloop::server *server = nullptr;  // whose client it is
    kept_address peer;
    uint32_t limit = 65536;
    uint32_t high = 65536;
    uint32_t low = 16384;
    int32_t loss = 0;  // the code of what ended it; 0: close or abort
    uint32_t pulled = 0;  // bytes read in this iteration, see pull()
    uint32_t pulled_in = 0;

    stream(domain *d, const stream_layer *l) : loop_object(kind::stream, d), layer(l) {}

    // `flags` is too short for them, and counts dropped writes instead.
    bool is(uint32_t f) const { return (extra & f) != 0; }
    void on(uint32_t f) { extra |= f; }
    void off(uint32_t f) { extra &= ~f; }
    uint16_t &dropped_writes() { return flags; }
    uint8_t &ready_bits() { return state; }
    size_t unread_bytes() const { return unread != nullptr ? unread->end - unread->begin : 0; }
    chunk *queue() const { return queue_tail != nullptr ? queue_tail->next : nullptr; }
};

static_assert(sizeof(stream) == 336);

inline stream *from_c(aloop_stream *s) { return reinterpret_cast<stream *>(s); }
inline aloop_stream *to_c(stream *s) { return reinterpret_cast<aloop_stream *>(s); }

// Making. The descriptor is nonblocking and becomes the stream's on success.
// 0 or -errno; ALOOP_EBUSY where the program watches it.
int64_t adopt_socket(loop *l, int fd, size_t limit, stream **out);
// What is watched of it; 0: nothing, it is always ready.
int64_t adopt(loop *l, int fd, size_t limit, const stream_layer *layer, uint8_t bits,
              stream **out);
// Without a descriptor: over memory, or another stream. nullptr: out of memory.
stream *adopt_layer(loop *l, size_t limit, const stream_layer *layer);
void free_stream(void *s);  // the destructor of a future's value
void close_descriptor(stream *s);  // what a layer's close() ends with

// The layer reports what became ready: the poller, or anybody else.
void stream_ready(stream *s, uint8_t bits, bool from_poll = false);

// Gives it a user (taken over), which is told in the next iteration that it is
// there, and after that of what comes. It lives until it is over then.
void attach(stream *s, stream_user *u);
// Lives from now on until it is over, and looks for its user at what is there.
void attend(stream *s);
// In the place of the one it has, if any, from now on; nullptr: none.
void replace_user(stream *s, stream_user *u);
// Tells it that writing is paused, or no longer: at once, unless on a fiber.
void user_paused(stream *s);
// Lets the user see in the next iteration what is there.
void look_again(stream *s);
// Lets the stream itself do so, whatever is there.
void stream_again(stream *s);

// Reading (stream.cpp): at most n bytes of what is there; 0 at the end;
// -EAGAIN: wait; -EALREADY: it had its share of this iteration. A failure ends
// the stream.
int64_t pull(stream *s, void *to, size_t n);
constexpr size_t k_read_size = 65536;
uint8_t *read_buffer(loop *l);  // k_read_size bytes; nullptr: out of memory
// The same while the program looks at it: whoever reads meanwhile gets another.
class lent_buffer {
public:
    explicit lent_buffer(loop *l) : home_(l), data_(read_buffer(l)) {
        lent_ = std::exchange(l->read_buffer, nullptr);
    }
    ~lent_buffer();
    lent_buffer(const lent_buffer &) = delete;
    lent_buffer &operator=(const lent_buffer &) = delete;
    uint8_t *data() const { return data_; }

private:
    loop *home_;
    uint8_t *data_;
    void *lent_;
};
bool keep_unread(stream *s, const void *data, size_t n);
uint8_t *reserve_unread(stream *s, size_t n);  // where n bytes can be put
void take_unread(stream *s, size_t n);         // the first n are gone
void clear_unread(stream *s);
void wake_reader(stream *s);
// Nobody reads on: what the last reader was woken for, or what stands behind what it
// took, may be a failure.
void suspect(stream *s);

// Writing (write.cpp). How many bytes are queued after it, or why not. While a file
// is sent only its own parts are written.
int64_t write_parts(stream *s, const iovec *parts, int n, bool of_file = false);
int64_t end_writing(stream *s);
void flush(stream *s);
void drop_queue(stream *s);
int64_t set_water_marks(stream *s, int64_t high, int64_t low);

// Ending.
void close_stream(stream *s);
void abort_stream(stream *s);
void lose(stream *s, int64_t code, error *adopted);
// Closes what never was a connection: a connect that failed or lost its race.
void discard_stream(stream *s);

future *make_drain(stream *s);
future *make_wait_closed(stream *s);
// Done once the user was told of the connection; its value is the stream (a
// reference that is taken over).
future *make_wait_made(stream *s);
// Sends n bytes of a file from offset on (n < 0: to its end); without `copies`
// only if the kernel can. See sendfile.cpp.
future *make_send_file(stream *s, int fd, int64_t offset, int64_t n, bool copies);

// Reading operations (read.cpp, until.cpp).
enum class read_mode : uint32_t { some, into, exactly, to_end };
future *make_read(stream *s, read_mode mode, size_t n, void *into);
future *make_read_until(stream *s, const aloop_buf *separators, size_t count, bool line);
// What their steps share (wait.cpp). A step looks again after k_again.
constexpr int64_t k_again = INT64_MIN;
int64_t wait_for_data(operation *op, stream *s, const char *what);
void stop_waiting(operation *op, stream *s);
int64_t after_pull(operation *op, stream *s, int64_t got, const char *what);
int64_t fail_as(operation *op, stream *s);
int64_t refuse_reading(operation *op);  // of a stream that is being upgraded
int64_t give_bytes(operation *op, const void *data, size_t n);
// A step of a reading operation: look(op) until it has an outcome, or waits.
template <typename Op>
int64_t step_reading(Op *op, int64_t status, int64_t (*look)(Op *)) {
    stop_waiting(op, op->from);
    if (status < 0) {
        suspect(op->from);
        return status;
    }
    if (op->from->is(k_upgrading)) return refuse_reading(op);
    int64_t result = k_again;
    while (result == k_again) {
        if (op->from->loss != 0) return fail_as(op, op->from);
        result = look(op);
    }
    if (result != ALOOP_PENDING && !op->from->waiters.empty()) suspect(op->from);
    return result;
}
// Reads into the loop's buffer, whose contents are then the caller's to keep.
int64_t pull_shared(stream *s, size_t most, uint8_t **data);
// Keeps what could not be handed out; without memory for it the stream is lost.
bool put_back(stream *s, const void *data, size_t n);

// The detail of ALOOP_EINCOMPLETEREAD and ALOOP_ELIMITOVERRUN.
error *make_incomplete(stream *s, int64_t expected);
error *make_overrun(const char *message, size_t consumed);
struct read_detail {
    bytes *partial;
    int64_t number;  // expected (-1: unknown), or consumed
};
const read_detail *detail_of(const error *e);

}  // namespace aloop
