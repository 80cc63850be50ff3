// The least that a million timers can cost: arming and cancelling in a hierarchical wheel; arming
// and firing in a 4-ary heap that holds the deadlines themselves. And the precision of a bare
// timerfd.
//
// SPDX-License-Identifier: MIT
#include <sys/timerfd.h>

#include "../common/late.h"

// --- wheel: eight levels of 64 slots, a slot found from the highest bit in which deadline and now
// differ ---

typedef struct cell cell;
struct cell {
    cell *next, *prev;
    uint64_t tick;
};

static cell wheel[8][64];

static void wheel_arm(cell *t, uint64_t now, uint64_t tick) {
    unsigned level = (63u - (unsigned)__builtin_clzll((now ^ tick) | 1)) / 6;
    cell *slot = &wheel[level][tick >> (level * 6) & 63];
    *t = (cell){slot->next, slot, tick};
    slot->next->prev = t;
    slot->next = t;
}

static void wheel_cancel(cell *t) {
    t->prev->next = t->next;
    t->next->prev = t->prev;
}

static double arm_cancel(size_t n) {
    for (cell *slot = wheel[0]; slot < wheel[8]; slot++) slot->next = slot->prev = slot;
    cell *timers = must(calloc(n, sizeof *timers));
    uint64_t now = now_ns() >> 16, start = now_ns();  // ticks of 66 µs
    for (size_t i = 0; i < n; i++)
        wheel_arm(&timers[i], now, now + ((1000000000 + random_next() % 59000000000u) >> 16));
    for (size_t i = 0; i < n; i++) wheel_cancel(&timers[i]);
    double ns = (double)(now_ns() - start) / (double)n;
    free(timers);
    return ns;
}

// --- heap ---

typedef struct {
    uint64_t deadline;
    size_t id;
} entry;

static entry *heap;
static size_t length;

static void heap_arm(entry e) {
    size_t i = length++;
    for (; i > 0 && e.deadline < heap[(i - 1) / 4].deadline; i = (i - 1) / 4)
        heap[i] = heap[(i - 1) / 4];
    heap[i] = e;
}

static entry heap_pop(void) {
    entry first = heap[0], last = heap[--length];
    size_t i = 0;
    for (size_t child; (child = 4 * i + 1) < length; i = child) {
        size_t end = child + 4 < length ? child + 4 : length;
        for (size_t c = child + 1; c < end; c++)
            if (heap[c].deadline < heap[child].deadline) child = c;
        if (heap[child].deadline >= last.deadline) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
}

static double arm_fire(size_t n) {
    heap = must(calloc(n, sizeof *heap));
    char *fired = must(calloc(n, 1));
    uint64_t start = cpu_ns(), base = now_ns();
    for (size_t i = 0; i < n; i++) heap_arm((entry){base + random_next() % 1000000000, i});
    sleep(1);  // every loop is late at times; here the last deadline has passed before the first
               // timer fires
    while (length > 0) {
        uint64_t now = now_ns();
        while (length > 0 && heap[0].deadline <= now) fired[heap_pop().id] = 1;
    }
    double ns = (double)(cpu_ns() - start) / (double)n;
    for (size_t i = 0; i < n; i++)
        if (!fired[i]) abort();
    free(fired);
    free(heap);
    return ns;
}

static void precision(size_t samples) {
    late l = late_new(samples);
    int fd = must_ok(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec in = {.it_value.tv_nsec = (long)(k_late_s * 1e9)};
    uint64_t expirations;
    do {
        late_arm(&l);
        must_ok(timerfd_settime(fd, 0, &in, NULL));
        must_ok((int)read(fd, &expirations, sizeof expirations));
    } while (late_fired(&l));
    late_emit(&l, BENCH_PEER);
    close(fd);
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    emit("timer", "arm + cancel", arm_cancel(n), "ns");
    emit("timer", "arm + fire", arm_fire(n), "ns");
    precision(1 + n / 1000);
}
