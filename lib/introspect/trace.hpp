// trace.hpp: what a loop does, event by event, for a program's hook and for the
// timeline file.
//
// Both are observers (loop/observe.hpp). Tasks are also made and done on fibers,
// where no code of the program may run: those events wait for the end of the
// callback or step in which they came. An event for which there is no memory is
// lost.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/introspect.h>

#include "../loop/loop.hpp"

struct aloop_trace_event {
    int32_t kind = 0;
    int64_t time = 0;
    int64_t duration = 0;
    aloop::object *task = nullptr;
    const void *code = nullptr;
};

namespace aloop {

// Events in order, those of tasks put off; on the loop's own stack.
class tracer : public loop_observer {
public:
    explicit tracer(loop *l) : home(l) {}
    void begins(const running_item &item, int64_t at) override;
    void ends(const running_item &item, int64_t at) override;
    void slept(int64_t from, int64_t to) override;
    void task_made(object *task, int64_t at) override;
    void task_done(object *task, int64_t at) override;

    loop *const home;

protected:
    ~tracer() { drop_put_off(); }
    // Gives the tracer up, perhaps while it is told something: nothing may follow.
    virtual void tell(const aloop_trace_event &event) = 0;

private:
    struct later {
        later *next;
        aloop_trace_event event;
    };

    void put_off(int32_t kind, object *task, int64_t at);
    bool tell_put_off();  // false: the tracer is gone
    void drop_put_off();

    later *first_ = nullptr;
    later **last_ = &first_;
    int64_t began_ = 0;
};

// fn nullptr: no hook any more.
int64_t set_trace_hook(loop *l, aloop_trace_fn fn, void *data, aloop_free_fn free_fn);

// Where ASYNCLOOP_TRACE names a file, this loop's events go there.
int64_t start_timeline(loop *l);

}  // namespace aloop
