// SPDX-License-Identifier: MIT
#include "poller_sim.hpp"

#include <pthread.h>

#include <cerrno>
#include <ctime>

#include "../base/locked.hpp"
#include "loop.hpp"

namespace aloop {

namespace {

class sim_poller final : public poller {
public:
    explicit sim_poller(const sim_conditions &conditions) : world_(conditions) {
        pthread_condattr_t monotonic;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&woken_cond_, &monotonic);
        pthread_condattr_destroy(&monotonic);
    }
    ~sim_poller() override {
        release(static_cast<void *>(ios_));
        release(events_);
        release(level_);
        pthread_cond_destroy(&woken_cond_);
        pthread_mutex_destroy(&mutex_);
    }

    int64_t add(io *watch) override;
    void remove(io *watch) override;
    int64_t wait(int64_t) override { return 0; }
    void wake() override;
    int64_t backend_fd() override { return ALOOP_ENOSYS; }
    bool simulated() const override { return true; }
    int64_t advance(int64_t now, int64_t deadline, bool pinned) override;
    int64_t after_fork() override { return ALOOP_ENOSYS; }

private:
    struct event {
        int64_t time;
        int fd;
    };
    struct entry {
        io *watch[2];  // one for both directions, or one each
    };

    template <typename T>
    static void grow(T *&list, int &room, int needed);
    bool deliver();
    bool report(int fd);
    void expect(int64_t time, int fd);
    int next_event();
    int64_t wait_really(int64_t now, int64_t deadline);
    bool take_wake();

    sim_world world_;
    entry *ios_ = nullptr;
    int io_room_ = 0;
    event *events_ = nullptr;  // a binary heap by time
    int event_count_ = 0;
    int event_room_ = 0;
    int *level_ = nullptr;     // level triggered and reported: look again next time
    int level_count_ = 0;
    int level_room_ = 0;
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t woken_cond_;
    bool woken_ = false;
};

template <typename T>
void sim_poller::grow(T *&list, int &room, int needed) {
    if (needed <= room) return;
    int more = room != 0 ? room * 2 : 64;
    while (more < needed) more *= 2;
    void *block = reallocate(list, static_cast<size_t>(more) * sizeof(T));
    if (block == nullptr) __builtin_trap();
    list = static_cast<T *>(block);
    for (int i = room; i < more; i++) list[i] = T{};
    room = more;
}

int64_t sim_poller::add(io *watch) {
    sim_socket *s = world_.find(watch->fd);
    if (s == nullptr) return -EPERM;
    const int i = watch->fd - sim_world::k_first;
    grow(ios_, io_room_, i + 1);
    io **place = &ios_[i].watch[ios_[i].watch[0] != nullptr ? 1 : 0];
    if (*place != nullptr) return -EEXIST;
    *place = watch;
    s->watched |= watch->bits;
    watch->added = true;
    watched_++;
    world_.touch(s);
    return 0;
}

void sim_poller::remove(io *watch) {
    if (!watch->added) return;
    watch->added = false;
    watched_--;
    entry &e = ios_[watch->fd - sim_world::k_first];
    if (e.watch[0] == watch) e.watch[0] = e.watch[1];
    e.watch[1] = nullptr;
    sim_socket *s = world_.find(watch->fd);
    if (s != nullptr) s->watched = e.watch[0] != nullptr ? e.watch[0]->bits : 0;
}

// Tells the watchers of fd what is ready; when nothing is, remembers when that
// may change.
bool sim_poller::report(int fd) {
    const sim_socket *s = world_.find(fd);
    if (s == nullptr || s->watched == 0) return false;
    const int64_t change = world_.next_change(s);
    if (change != k_never) expect(change, fd);
    const uint8_t ready = world_.readiness(s) & s->watched;
    if (ready == 0) return false;
    const entry e = ios_[fd - sim_world::k_first];
    bool reported = false;
    for (io *watch : e.watch) {
        if (watch == nullptr || (ready & watch->bits) == 0) continue;
        if (!watch->edge) {
            grow(level_, level_room_, level_count_ + 1);
            level_[level_count_++] = fd;
        }
        watch->ready(watch, ready & watch->bits);
        reported = true;
    }
    return reported;
}

bool sim_poller::deliver() {
    bool reported = false;
    for (int fd = world_.take_touched(); fd >= 0; fd = world_.take_touched()) {
        if (report(fd)) reported = true;
    }
    return reported;
}

void sim_poller::expect(int64_t time, int fd) {
    grow(events_, event_room_, event_count_ + 1);
    int i = event_count_++;
    for (; i > 0 && events_[(i - 1) / 2].time > time; i = (i - 1) / 2) {
        events_[i] = events_[(i - 1) / 2];
    }
    events_[i] = {time, fd};
}

int sim_poller::next_event() {
    const int fd = events_[0].fd;
    const event last = events_[--event_count_];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= event_count_) break;
        if (child + 1 < event_count_ && events_[child + 1].time < events_[child].time) child++;
        if (events_[child].time >= last.time) break;
        events_[i] = events_[child];
        i = child;
    }
    if (event_count_ > 0) events_[i] = last;
    return fd;
}

void sim_poller::wake() {
    locked hold(&mutex_);
    woken_ = true;
    pthread_cond_signal(&woken_cond_);
}

bool sim_poller::take_wake() {
    locked hold(&mutex_);
    return std::exchange(woken_, false);
}

// Something outside is under way: the virtual clock goes as the real one does.
int64_t sim_poller::wait_really(int64_t now, int64_t deadline) {
    const int64_t began = monotonic_now();
    const int64_t until = deadline == k_never ? began + int64_t{86400} * 1000000000
                                              : began + (deadline - now);
    timespec limit;
    limit.tv_sec = until / 1000000000;
    limit.tv_nsec = until % 1000000000;
    {
        locked hold(&mutex_);
        while (!woken_ && pthread_cond_timedwait(&woken_cond_, &mutex_, &limit) == 0) {
        }
        woken_ = false;
    }
    const int64_t passed = monotonic_now() - began;
    return deadline == k_never || passed < deadline - now ? now + passed : deadline;
}

int64_t sim_poller::advance(int64_t now, int64_t deadline, bool pinned) {
    world_.now = now;
    while (level_count_ > 0) {
        if (sim_socket *s = world_.find(level_[--level_count_])) world_.touch(s);
    }
    for (;;) {
        if (deliver() || take_wake()) return world_.now;
        const int64_t next = event_count_ > 0 ? events_[0].time : k_never;
        if (next > deadline || next == k_never) {
            if (pinned) return wait_really(world_.now, deadline);
            if (deadline == k_never) return -1;
            world_.now = deadline;
            return deadline;
        }
        if (next > world_.now) world_.now = next;
        if (sim_socket *s = world_.find(next_event())) world_.touch(s);
    }
}

poller *make_sim_poller(const loop_options &options, int64_t *code) {
    poller *p = create<sim_poller>(options.simulated);
    *code = p != nullptr ? 0 : ALOOP_ENOMEM;
    return p;
}

}  // namespace

void use_simulator(loop_options *options, const sim_conditions &conditions) {
    options->simulated = conditions;
    options->clock = ALOOP_CLOCK_VIRTUAL;
    options->make_poller = make_sim_poller;
    options->sys = sim_world::sys();
}

}  // namespace aloop
