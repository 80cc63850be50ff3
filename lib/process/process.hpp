// process.hpp: a child process: its pidfd in the poller, who waits for it, and
// the streams over its pipes.
//
// What communicate has sent and read is the process's, not the operation's, so
// that another one can go on after a cancellation.
//
// Only the pidfd tells of the end, and only this child is waited for: no
// signal handler, and nobody else's children. While the child runs the process
// holds a reference to itself and pins the clock.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/process.h>
#include <sys/resource.h>

#include "../base/options.hpp"
#include "../stream/stream.hpp"

namespace aloop {

struct fd_mapping {
    int from;
    int to;
};

struct resource_limit {
    int resource;
    rlimit value;
};

constexpr int k_most_limits = 16;
constexpr int k_most_mappings = 64;

struct process_options final : options_of<process_options> {
    int stdio[3] = {ALOOP_INHERIT, ALOOP_INHERIT, ALOOP_INHERIT};
    char *cwd = nullptr;
    char **env = nullptr;  // one block with its strings
    fd_mapping mappings[k_most_mappings];
    int mapping_count = 0;
    bool new_session = false;
    int process_group = -1;
    bool has_user = false;
    bool has_group = false;
    uint32_t user = 0;
    uint32_t group = 0;
    int mask = -1;
    resource_limit limits[k_most_limits];
    int limit_count = 0;
    size_t limit = 65536;
    size_t output_limit = SIZE_MAX;

    ~process_options() {
        release(cwd);
        release(env);
    }
};

// Strings up to a nullptr in one block; nullptr: out of memory.
char **copy_strings(const char *const *strings);

// What a child gets, ready to be started (spawn.cpp).
struct spawn_request {
    const char *path;
    char *const *argv;
    char *const *env;
    const char *cwd;
    const process_options *options;
    // Where the descriptors come from and which they become; no source is a
    // target, so that none overwrites another.
    fd_mapping mappings[k_most_mappings + 3];
    int mapping_count = 0;
    int highest = 2;  // target
};
// Whether the child is to have that number.
bool is_target(const process_options &options, int fd);
// The child's pid, or -errno: also that of a failed exec.
int64_t spawn(const spawn_request &request);

// What communicate has read of one stream.
struct output {
    uint8_t *data = nullptr;
    size_t size = 0;
    size_t room = 0;

    bool append(const void *from, size_t n);
};

struct process final : loop_object, io, node, self_held {
    int pid = 0;
    int returncode = 0;
    bool running = false;
    bool leads_group = false;
    bool talking = false;  // a communicate is under way
    bool fed = false;  // communicate has begun, with an input of that size
    size_t input_size = 0;
    int group = -1;  // a pidfd to signal the group by, also after the leader's end
    uint32_t forks = fork_generation();
    int64_t patience = 0;  // killed by its loop's end: until when that waits for it
    stream *streams[3] = {};  // references
    bytes *input = nullptr;   // a reference; kept, to know it again
    size_t sent = 0;
    output outputs[2];
    size_t output_limit = SIZE_MAX;
    ring waiters;

    explicit process(domain *d) : loop_object(kind::process, d) {}
    // Of a forked child's parent: the kernel tells this process nothing of it.
    bool of_parent() const { return forks != fork_generation(); }
};

// Starts a child; consumes nothing. On failure *name is what the error is about.
int64_t start_process(loop *l, char *const *argv, const process_options *options, process **out,
                      const char **name);
// From now on its end is noticed: its pid is set.
int64_t watch_process(loop *l, process *p);
int64_t signal_process(process *p, int signum);
int64_t signal_group(process *p, int signum);
int64_t wait_status(const process *p);
void wake_exit_waiters(process *p);

// Operations; nullptr: out of memory.
future *make_create(loop *l, char **argv, process_options *options);  // takes argv over
future *make_process_wait(process *p);
future *make_communicate(process *p, bytes *input);  // takes input over

inline process *from_c(aloop_process *p) { return reinterpret_cast<process *>(p); }

}  // namespace aloop
