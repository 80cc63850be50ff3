// run.hpp: whole programs: a loop made ready for tasks, run_until_complete, and
// the runner.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../task/task.hpp"

namespace aloop {

// A loop with all its folders' parts; options may be nullptr.
int64_t make_loop(const loop_options *options, loop **out);
// The parts alone, for a loop that a fork has emptied.
int64_t prepare_loop(loop *l);

// Consumes f.
int64_t run_until_complete(loop *l, future *f, void **value);

struct runner final : object {
    loop_options *options = nullptr;
    aloop::loop *loop = nullptr;
    aloop::context *context = nullptr;
    bool set_current = false;
    bool closed = false;

    runner() : object(kind::runner) { count_live(kind::runner, 1); }
    ~runner();
};

int64_t init_runner(runner *r);
// why: the error behind a failure, if there is one; may be nullptr.
int64_t run_main(runner *r, task_options *main, void **value, ptr<error> *why = nullptr);
int64_t close_runner(runner *r);

// For main(): tells a failure on standard error, and gives the status to exit with.
int32_t run_program(aloop_coro_fn fn, void *arg);

}  // namespace aloop
