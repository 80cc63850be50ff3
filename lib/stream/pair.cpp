// pair.cpp: two connected streams in memory.
//
// What one writes waits at the other, up to as much as a socket would hold; a
// side that is refused is told when there is room again. The memory is there
// only while bytes wait in it.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "pipe.hpp"

namespace aloop {

namespace {

constexpr size_t k_capacity = 65536;

struct memory_pair;

// What waits for one of the two.
struct inbound {
    stream *owner;
    memory_pair *both;
    uint8_t *data = nullptr;
    size_t begin = 0, end = 0, room = 0;
    bool ended = false;    // nothing more will come
    bool refused = false;  // a writer waits for room
    size_t size() const { return end - begin; }
};

struct memory_pair {
    inbound sides[2];
};

inbound *mine(stream *s) { return static_cast<inbound *>(s->lower); }

inbound *others(stream *s) {
    inbound *sides = mine(s)->both->sides;
    return mine(s) == &sides[0] ? &sides[1] : &sides[0];
}

bool make_room(inbound *to, size_t n) {
    if (to->room - to->end >= n) return true;
    const size_t have = to->size();
    if (to->room >= have + n) {
        std::memmove(to->data, to->data + to->begin, have);
    } else {
        size_t room = to->room != 0 ? to->room : 1024;
        while (room < have + n) room *= 2;
        uint8_t *bigger = static_cast<uint8_t *>(allocate(room));
        if (bigger == nullptr) return false;
        if (have > 0) std::memcpy(bigger, to->data + to->begin, have);
        release(to->data);
        to->data = bigger;
        to->room = room;
    }
    to->begin = 0;
    to->end = have;
    return true;
}

void forget(inbound *of) {
    release(of->data);
    of->data = nullptr;
    of->begin = of->end = of->room = 0;
}

int64_t memory_read(stream *s, void *to, size_t n) {
    inbound *in = mine(s);
    if (in->size() == 0) return in->ended ? 0 : -EAGAIN;
    const size_t got = n < in->size() ? n : in->size();
    std::memcpy(to, in->data + in->begin, got);
    in->begin += got;
    if (in->size() == 0) forget(in);
    if (in->refused) {
        in->refused = false;
        if (stream *writer = others(s)->owner) stream_ready(writer, k_writable);
    }
    return static_cast<int64_t>(got);
}

int64_t memory_write(stream *s, const iovec *parts, int n) {
    inbound *to = others(s);
    if (to->owner == nullptr) return -EPIPE;
    const size_t free_room = k_capacity - to->size();
    size_t total = 0;
    for (int i = 0; i < n; i++) total += parts[i].iov_len;
    size_t left = total < free_room ? total : free_room;
    to->refused = left < total;
    if (left == 0) return -EAGAIN;
    if (!make_room(to, left)) return ALOOP_ENOMEM;
    const int64_t taken = static_cast<int64_t>(left);
    for (int i = 0; left > 0; i++) {
        const size_t some = parts[i].iov_len < left ? parts[i].iov_len : left;
        if (some > 0) std::memcpy(to->data + to->end, parts[i].iov_base, some);
        to->end += some;
        left -= some;
    }
    stream_ready(to->owner, k_readable);
    return taken;
}

int64_t memory_end(stream *s) {
    inbound *to = others(s);
    to->ended = true;
    if (to->owner != nullptr) stream_ready(to->owner, k_readable | k_hangup);
    return 0;
}

void memory_close(stream *s) {
    inbound *in = mine(s), *to = others(s);
    s->lower = nullptr;
    in->owner = nullptr;
    forget(in);
    to->ended = true;
    if (to->owner == nullptr) destroy(in->both);
    else stream_ready(to->owner, k_readable | k_writable | k_hangup);
}

// What comes later is told, also when it comes before the next write.
bool memory_trusts(stream *) { return true; }

const stream_layer k_memory = {memory_read, memory_write, memory_end, memory_close, memory_trusts};

}  // namespace

int64_t make_pair(loop *l, size_t limit, stream **a, stream **b) {
    memory_pair *both = create<memory_pair>();
    stream *one = both != nullptr ? adopt_layer(l, limit, &k_memory) : nullptr;
    stream *two = one != nullptr ? adopt_layer(l, limit, &k_memory) : nullptr;
    if (both != nullptr) {
        both->sides[0].owner = one;
        both->sides[1].owner = two;
        both->sides[0].both = both->sides[1].both = both;
    }
    if (one != nullptr) one->lower = &both->sides[0];
    if (two == nullptr) {
        if (one != nullptr) discard_stream(one);
        else if (both != nullptr) destroy(both);
        return ALOOP_ENOMEM;
    }
    two->lower = &both->sides[1];
    *a = one;
    *b = two;
    return 0;
}

}  // namespace aloop
