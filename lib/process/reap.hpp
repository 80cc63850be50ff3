// reap.hpp: seeing children end for whom no loop waits any more.
//
// Nothing here waits without bound for what may never come: a child may not be
// killed (a setuid program is another user's), or the kernel does not let it go.
// Such a child stays listed with its pidfd, and is looked at, without waiting,
// whenever another one is started or given up: so its zombie does not stay.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <cstdint>

namespace aloop {

enum class end { not_yet, known, lost };

// By the pidfd, for the number of a child that was reaped elsewhere may be
// another's by now. Does not wait. Of one that a tracer has first it is not_yet.
end reap(int pidfd, siginfo_t *info);
// One that has failed to start, or was killed: waits for it.
void reap_by_pid(int pid);
// How long a child that is killed now may take to end.
int64_t end_of_patience();
// 0, also of one that has ended; or why that cannot be.
int64_t kill_child(int pidfd);
// Kills it and waits for its end until then; takes the pidfd over. 0, or why the
// child goes on: it is listed then.
int64_t end_child(int pidfd, int64_t until);
// One that was just started and of which there is no pidfd.
void end_child_by_pid(int pid);
void reap_listed();

}  // namespace aloop
