// SPDX-License-Identifier: MIT
#include "awaiters.hpp"

namespace aloop {

namespace {

template <typename T>
bool reserve(T **list, int64_t *room, int64_t n) {
    if (n <= *room) return true;
    const int64_t more = *room != 0 ? *room * 2 : 16;
    void *block = reallocate(*list, static_cast<size_t>(more) * sizeof(T));
    if (block == nullptr) return false;
    *list = static_cast<T *>(block);
    *room = more;
    return true;
}

// Who stands in the waiters of a future: a task, or what observes it; nullptr: a callback.
future *who_waits(link *at) {
    node *waiter = static_cast<node *>(at);
    return waiter->fn == run_task ? static_cast<task *>(waiter) : observing(at);
}

}  // namespace

bool awaiters::add(task *t) {
    if (!t->pending() || t->has(k_marked)) return true;
    if (!reserve(&tasks_, &room_, count_ + 1)) return false;
    t->set(k_marked);
    tasks_[count_++] = t;
    return true;
}

bool awaiters::enter(future *f) {
    if (f->has(k_marked)) return true;
    if (!reserve(&places_, &place_room_, place_count_ + 1)) return false;
    f->set(k_marked);
    places_[place_count_] = {f, f->waiters.head(), here_};
    here_ = place_count_++;
    const operation *op = as_operation(f);
    return op == nullptr || op->driver == nullptr || add(op->driver);
}

bool awaiters::look_behind(future *f) {
    bool ok = enter(f);
    while (ok && here_ >= 0) {
        place &p = places_[here_];
        link *at = p.at;
        if (at == nullptr) {
            here_ = p.from;
            continue;
        }
        p.at = p.of->waiters.after(at);
        future *behind = who_waits(at);
        if (task *t = as_task(behind)) {
            ok = add(t);
        } else if (behind != nullptr) {
            ok = enter(behind);
        }
    }
    return ok;
}

bool awaiters::find(future *f) {
    const bool ok = look_behind(f);
    for (int64_t i = 0; i < place_count_; i++) places_[i].of->clear(k_marked);
    for (int64_t i = 0; i < count_; i++) tasks_[i]->clear(k_marked);
    release(places_);
    places_ = nullptr;
    return ok;
}

}  // namespace aloop
