// The kernel's readiness, through libevent, and nothing else of libevent.
//
// A descriptor is registered once and stays so; libevent's own timers, queues,
// signals and locks are not used. Waking and timing are ours: an eventfd and a
// timerfd, both edge triggered, so that neither is ever read; the timerfd is
// armed anew only for a deadline earlier than the one it is armed for, because
// one early wake-up costs no more than the system call that would avoid it.
//
// SPDX-License-Identifier: MIT
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <cerrno>

#include "../base/clock.hpp"
#include "../base/memory.hpp"
#include "../base/sys.hpp"
#include "loop.hpp"

namespace aloop {

namespace {

static_assert(sizeof(struct event) <= io::k_backend_size);

struct event *event_of(io *watch) { return reinterpret_cast<struct event *>(watch->backend); }

void dispatch(evutil_socket_t, short what, void *data) {
    io *watch = static_cast<io *>(data);
    const uint8_t bits = static_cast<uint8_t>(
        ((what & (EV_READ | EV_CLOSED)) != 0 ? k_readable : 0) |
        ((what & EV_WRITE) != 0 ? k_writable : 0) | ((what & EV_CLOSED) != 0 ? k_hangup : 0));
    watch->ready(watch, bits);
}

void ignore(io *, uint8_t) {}

// The timerfd's registration: knows when it went off.
struct timer_io : io {
    int64_t armed = k_never;
};

void went_off(io *self, uint8_t) { static_cast<timer_io *>(self)->armed = k_never; }

class libevent_poller final : public poller {
public:
    explicit libevent_poller(const sys_table *sys) : sys_(sys) {}
    ~libevent_poller() override;

    int64_t init();
    int64_t add(io *watch) override;
    void remove(io *watch) override;
    int64_t wait(int64_t deadline) override;
    void wake() override;
    int64_t backend_fd() override;
    event_base *base() const override { return base_; }
    int64_t after_fork() override;

private:
    int64_t arm(int64_t deadline);
    int64_t open_descriptors();
    void close_descriptors();
    int64_t watch_internal(io *watch, int fd, void (*ready)(io *, uint8_t));
    void mirror(int fd);

    const sys_table *sys_;
    event_base *base_ = nullptr;
    io wake_;
    timer_io timer_;
    int mirror_ = -1;  // see backend_fd
};

int64_t libevent_poller::init() {
    event_config *config = event_config_new();
    if (config == nullptr) return ALOOP_ENOMEM;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    if (base_ == nullptr) return errno == EMFILE || errno == ENFILE ? -errno : ALOOP_ENOMEM;
    return open_descriptors();
}

libevent_poller::~libevent_poller() {
    close_descriptors();
    if (base_ != nullptr) event_base_free(base_);
}

int64_t libevent_poller::open_descriptors() {
    const int64_t wake = sys_->eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0) return wake;
    int64_t code = watch_internal(&wake_, static_cast<int>(wake), ignore);
    if (code < 0) return code;
    const int64_t timer = sys_->timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0) return timer;
    return watch_internal(&timer_, static_cast<int>(timer), went_off);
}

int64_t libevent_poller::watch_internal(io *watch, int fd, void (*ready)(io *, uint8_t)) {
    watch->fd = fd;
    watch->bits = k_readable;
    watch->edge = true;
    watch->ready = ready;
    const int64_t code = add(watch);
    if (code == 0) watched_--;
    return code;
}

void libevent_poller::close_descriptors() {
    io *const both[] = {&wake_, &timer_};
    for (io *watch : both) {
        if (watch->added) {
            remove(watch);
            watched_++;
        }
        if (watch->fd >= 0) sys_->close(watch->fd);
        watch->fd = -1;
    }
    if (mirror_ >= 0) sys_->close(mirror_);
    mirror_ = -1;
}

int64_t libevent_poller::add(io *watch) {
    short what = EV_PERSIST;
    if ((watch->bits & k_readable) != 0) what |= EV_READ;
    if ((watch->bits & k_writable) != 0) what |= EV_WRITE;
    if ((watch->bits & k_hangup) != 0) what |= EV_CLOSED;
    if (watch->edge) what |= EV_ET;
    if (event_assign(event_of(watch), base_, watch->fd, what, dispatch, watch) < 0) {
        return ALOOP_EINVAL;
    }
    errno = 0;
    if (event_add(event_of(watch), nullptr) < 0) return errno != 0 ? -errno : ALOOP_ENOMEM;
    watch->added = true;
    watched_++;
    if (mirror_ >= 0) mirror(watch->fd);
    return 0;
}

void libevent_poller::remove(io *watch) {
    if (!watch->added) return;
    event_del(event_of(watch));
    watch->added = false;
    watched_--;
    if (mirror_ >= 0) mirror(watch->fd);
}

int64_t libevent_poller::arm(int64_t deadline) {
    if (deadline >= timer_.armed) return 0;
    itimerspec when = {};
    when.it_value.tv_sec = deadline / 1000000000;
    when.it_value.tv_nsec = deadline % 1000000000;
    const int64_t code = sys_->timerfd_settime(timer_.fd, TFD_TIMER_ABSTIME, &when);
    if (code == 0) timer_.armed = deadline;
    return code;
}

int64_t libevent_poller::wait(int64_t deadline) {
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    if (deadline == 0) {
        flags |= EVLOOP_NONBLOCK;
    } else if (deadline != k_never) {
        const int64_t code = arm(deadline > 0 ? deadline : 1);
        if (code < 0) return code;
    }
    if (mirror_ >= 0) {
        epoll_event seen[16];
        while (epoll_wait(mirror_, seen, 16, 0) == 16) {
        }
    }
    return event_base_loop(base_, flags) < 0 ? -errno : 0;
}

void libevent_poller::wake() {
    const uint64_t one = 1;
    while (sys_->write(wake_.fd, &one, sizeof one) == -EINTR) continue;
}

// libevent 2.1 does not tell its epoll descriptor. Who embeds the loop gets an
// epoll set of its own, kept equal to libevent's from the first call on; only
// its readability counts, and wait() empties it.
int64_t libevent_poller::backend_fd() {
    if (mirror_ >= 0) return mirror_;
    mirror_ = epoll_create1(EPOLL_CLOEXEC);
    if (mirror_ < 0) return -errno;
    event_base_foreach_event(
        base_,
        [](const event_base *, const struct event *e, void *self) {
            static_cast<libevent_poller *>(self)->mirror(event_get_fd(e));
            return 0;
        },
        this);
    return mirror_;
}

// Registers fd in the mirror for what the events on it want together.
void libevent_poller::mirror(int fd) {
    if (fd < 0 || fd == timer_.fd) return;  // aloop_loop_backend_timeout has the timers
    struct wanted {
        int fd;
        uint32_t events;
    } want = {fd, 0};
    event_base_foreach_event(
        base_,
        [](const event_base *, const struct event *e, void *data) {
            wanted *w = static_cast<wanted *>(data);
            if (event_get_fd(e) != w->fd) return 0;
            const short what = event_get_events(e);
            if ((what & EV_READ) != 0) w->events |= EPOLLIN;
            if ((what & EV_WRITE) != 0) w->events |= EPOLLOUT;
            if ((what & EV_CLOSED) != 0) w->events |= EPOLLRDHUP;
            if ((what & EV_ET) != 0) w->events |= EPOLLET;
            return 0;
        },
        &want);
    epoll_event e = {};
    e.events = want.events;
    e.data.fd = fd;
    if (want.events == 0) {
        epoll_ctl(mirror_, EPOLL_CTL_DEL, fd, nullptr);
    } else if (epoll_ctl(mirror_, EPOLL_CTL_ADD, fd, &e) < 0) {
        epoll_ctl(mirror_, EPOLL_CTL_MOD, fd, &e);
    }
}

// The epoll sets are the parent's, too: what is taken out of them here is taken
// from the parent. So they are exchanged before anything is.
// The epoll sets are the parent's, too: nothing may be taken out of them here.
int64_t libevent_poller::after_fork() {
    if (mirror_ >= 0) sys_->close(mirror_);
    mirror_ = -1;
    if (event_reinit(base_) < 0) return ALOOP_ENOMEM;
    close_descriptors();
    timer_.armed = k_never;
    return open_descriptors();
}

}  // namespace

poller *make_libevent_poller(const loop_options &options, int64_t *code) {
    libevent_poller *p = create<libevent_poller>(options.sys);
    if (p == nullptr) {
        *code = ALOOP_ENOMEM;
        return nullptr;
    }
    *code = p->init();
    if (*code < 0) {
        p->~libevent_poller();
        release(p);
        return nullptr;
    }
    return p;
}

}  // namespace aloop
