// cancel.cpp: the way of a cancellation, from what was asked to end to what that
// waits for, and what becomes of it there.
//
//     task -> operation of another task -> its task -> gather -> each child -> ...
//
// A walk, not a recursion, whatever the chain is made of: it needs no memory, and no
// more of a stack for a hundred thousand members than for one. A task or operation
// accepts as soon as it is come to, so that only junctions are come back to. Who is on
// the way is marked: a mark that is met again closes a circle. No code of the program
// runs meanwhile, so that nothing goes away or changes its place.
//
// SPDX-License-Identifier: MIT
#include <utility>

#include "junction.hpp"
#include "task.hpp"

namespace aloop {

void break_circle(task *t) {
    t->on(k_must_cancel);
    if (!waits_on_future(t)) return;
    leaf_of(t)->waiters.remove(static_cast<node *>(t));
    t->fn = run_task;
    loop_of(t)->schedule(static_cast<node *>(t));
}

namespace {

enum class answer : uint8_t { refused, accepted, in_circle, later };

// Whom a task or a begun operation passes a request on to; nullptr: nobody.
future *asked_by(future *f) {
    task *t = as_task(f);
    if (t == nullptr) return static_cast<operation *>(f)->inner;
    return t->is(k_running) || t->is(k_keep_failure) ? nullptr : leaf_of(t);
}

void unmark(future *first, int64_t n) {
    for (future *f = first; n > 0; n--) {
        future *next = asked_by(f);
        f->clear(k_marked);
        f = next;
    }
}

class walk {
public:
    walk(future *root, const char *message, bool counted)
        : root_(root), message_(message), uncounted_(counted ? nullptr : root) {}

    // How many were asked.
    int64_t steps() const { return steps_; }
    // Whether the root accepts.
    bool run() {
        answer a = go_down(root_);
        while (junction *j = inside_) {
            if (j->next < j->count) {
                note(j, go_down(j->child_at(j, j->next++)));
            } else {
                a = leave(j, a);
            }
        }
        while (junction *j = seen_) {
            seen_ = j->next_seen;
            j->seen = false;
        }
        return a != answer::refused;
    }

private:
    // Where junctions come together again, each way to one asks it anew, as asyncio does:
    // twice as often in each layer. That is only seen in the number of requests, so that
    // a walk as long as this asks nobody a second time.
    static constexpr int64_t k_longest = 100000;

    // From first down to who answers by himself, or to a junction, whose children come
    // next. The answer of first itself; later: it is that junction.
    answer go_down(future *first) {
        future *asker = nullptr;
        future *f = first;
        int64_t way = 0;
        while (passes_on(f)) {
            task *t = as_task(f);
            if (t != nullptr && f != uncounted_) t->cancel_requests()++;
            f->set(k_marked);
            way++;
            asker = f;
            f = asked_by(f);
        }
        steps_ += way + 1;
        const answer a = ask(f);
        if (a == answer::later) {
            inside_->asker = asker;
            inside_->way = way;
        } else if (asker != nullptr) {
            settle(asker, f, a);
            unmark(first, way);
        }
        return asker != nullptr ? answer::accepted : a;
    }

    static bool passes_on(const future *f) {
        if (f == nullptr || !f->pending() || f->has(k_marked)) return false;
        return f->type == kind::task || (f->type == kind::operation && f->has(k_started));
    }

    answer ask(future *f) {
        if (f == nullptr || !f->pending()) return answer::refused;
        if (f->has(k_marked)) return answer::in_circle;
        if (junction *j = as_junction(f)) return enter(j);
        if (f->type == kind::operation) return answer::refused;  // not begun yet
        return cancel(f, message_) ? answer::accepted : answer::refused;
    }

    answer enter(junction *j) {
        if (!j->seen) {
            j->seen = true;
            j->next_seen = seen_;
            seen_ = j;
        } else if (steps_ > k_longest) {
            return j->cancel_requested ? answer::accepted : answer::refused;
        }
        j->set(k_marked);
        j->any = j->circle = false;
        j->next = 0;
        j->outer = inside_;
        inside_ = j;
        return answer::later;
    }

    static void note(junction *j, answer a) {
        if (a == answer::accepted) j->any = true;
        if (a == answer::in_circle) j->circle = true;
    }

    // All children were asked. root_answer: what is known of it.
    answer leave(junction *j, answer root_answer) {
        inside_ = j->outer;
        j->clear(k_marked);
        if (j->any) j->cancel_requested = true;
        const answer a = j->circle ? answer::in_circle
                         : j->any  ? answer::accepted
                                   : answer::refused;
        if (j->asker != nullptr) {
            settle(j->asker, j, a);
            junction *fork = inside_;
            unmark(fork != nullptr ? fork->child_at(fork, fork->next - 1) : root_, j->way);
            return root_answer;
        }
        if (inside_ == nullptr) return a;
        note(inside_, a);
        if (j->any) inside_->any = true;
        return root_answer;
    }

    // What `asked` answered is for `asker`, a task or an operation, to deal with. Of those in
    // a circle one task has to go on although what it waits for is pending still.
    void settle(future *asker, future *asked, answer a) {
        if (a == answer::accepted) return;
        task *t = as_task(asker);
        if (a == answer::in_circle) {
            task *breaks = as_task(asked);
            if (breaks == nullptr) breaks = t;
            if (breaks == nullptr) breaks = static_cast<operation *>(asker)->driver;
            if (breaks != nullptr) {
                keep_request(breaks);
                break_circle(breaks);
                return;
            }
        }
        if (t != nullptr) {
            keep_request(t);
        } else {
            asker->set(k_cancel_wanted);
        }
    }

    // The next step of t begins cancelled. The message may be that of the error which goes,
    // so that from here on the walk has its own.
    void keep_request(task *t) {
        t->on(k_must_cancel);
        task_extra *more = message_ != nullptr ? t->need_extra() : t->more;
        if (more == nullptr) return;
        if (message_ != nullptr && !error_) {
            error_.reset(make_error(ALOOP_ECANCELED, message_));
            message_ = error_ ? error_->message : nullptr;
        }
        ptr<error> old(std::exchange(more->cancel_error, ptr<error>::share(error_.get()).detach()));
    }

    future *const root_;
    const char *message_;
    ptr<error> error_;  // with the message, for those who keep the request
    const future *const uncounted_;
    junction *inside_ = nullptr;  // the innermost whose children are being asked
    junction *seen_ = nullptr;
    int64_t steps_ = 0;
};

}  // namespace

bool pass_cancel_on(future *f, const char *message) { return walk(f, message, true).run(); }

bool cancel_task(task *t, const char *message) {
    return t->pending() && pass_cancel_on(t, message);
}

int64_t ask_task(task *t) {
    if (!t->pending()) return 0;
    walk way(t, nullptr, true);
    way.run();
    return way.steps();
}

void interrupt_task(task *t) {
    if (t->pending()) walk(t, nullptr, false).run();
}

bool in_cancelled_scope(const task *t) {
    const scope_state *s = t->more != nullptr ? t->more->scope : nullptr;
    while (s != nullptr && !s->cancelled) s = s->shield ? nullptr : s->outer;
    return s != nullptr;
}

bool press_scope(task *t) {
    if (t->more == nullptr || t->is(k_must_cancel) || !in_cancelled_scope(t)) return false;
    t->on(k_must_cancel);
    if (t->more->cancel_error != nullptr) {
        unref(t->more->cancel_error);
        t->more->cancel_error = nullptr;
    }
    return true;
}

int64_t uncancel(task *t) {
    if (t->cancel_requests() > 0 && --t->cancel_requests() == 0) t->off(k_must_cancel);
    return t->cancel_requests();
}

error *last_error(task *t) {
    if (t->is(k_override)) {
        if (t->more != nullptr && t->more->cancel_error != nullptr) return t->more->cancel_error;
        task_extra *more = t->need_extra();
        if (more == nullptr) return nullptr;
        more->cancel_error = make_error(ALOOP_ECANCELED, nullptr);
        return more->cancel_error;
    }
    return t->is(k_keep_failure) && t->waiting != nullptr ? error_of(t->waiting) : nullptr;
}

void raise(task *t, error *adopted) {
    task_extra *more = t->need_extra();
    if (more == nullptr) {
        if (adopted != nullptr) unref(adopted);
        return;
    }
    if (more->raised != nullptr) unref(more->raised);
    more->raised = adopted;
}

}  // namespace aloop
