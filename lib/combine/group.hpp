// group.hpp: a task group: tasks that end together. asyncio.TaskGroup.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/combine.h>

#include "../task/task.hpp"

namespace aloop {

struct group;

// For the running task. nullptr: out of memory.
group *enter_group(task *parent);
// Adds a task that was made for the group; false: out of memory (it is cancelled).
bool add_task(group *g, future *t);
// 0, or why no task may be added now.
int64_t check_open(const group *g, const char **why);
void cancel_group(group *g);
// An operation that leaves the group; takes over the reference to it. raised
// (adopted, may be nullptr) is the error of the block if status is one.
future *make_join(group *g, int64_t status, error *raised);
task *parent_of(const group *g);

inline group *from_c(aloop_task_group *g) { return reinterpret_cast<group *>(g); }

}  // namespace aloop
