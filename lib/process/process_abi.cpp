// SPDX-License-Identifier: MIT
#include <csignal>

#include "process.hpp"

using namespace aloop;

namespace {

process_options *from_options(const aloop_process_options *o) {
    return options_from<process_options>(o);
}

int64_t set_stdio(aloop_process_options *handle, int which, int32_t what) {
    process_options *o = from_options(handle);
    const bool known = what >= ALOOP_INHERIT && (what != ALOOP_STDOUT || which == 2);
    if (o == nullptr || !known) return ALOOP_EINVAL;
    o->stdio[which] = what;
    return 0;
}

// What setresuid takes for "as it is": with that a child would keep the parent's.
constexpr uint32_t k_no_id = UINT32_MAX;

int64_t check_process(aloop_process *handle) {
    const process *p = from_c(handle);
    if (!is(p, kind::process)) return ALOOP_EINVAL;
    const int64_t code = loop_of(p)->check();
    return code == 0 && p->of_parent() ? ALOOP_ECHILD : code;
}

loop *usable_loop() {
    loop *l = current_loop();
    return l != nullptr && l->check() == 0 ? l : nullptr;
}

aloop_future *made(loop *l, future *f) {
    return to_c(f != nullptr ? f : failed_future(l, ALOOP_ENOMEM));
}

aloop_future *create_child(const char *const *argv, const aloop_process_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    const bool bad = options != nullptr && from_options(options) == nullptr;
    if (bad || argv == nullptr || argv[0] == nullptr) return to_c(failed_future(l, ALOOP_EINVAL));
    char **copy = copy_strings(argv);
    process_options *o = from_options(options);
    if (o != nullptr) {
        ref(static_cast<object *>(o));
    } else {
        o = create<process_options>();
    }
    if (copy == nullptr || o == nullptr) {
        release(copy);
        if (o != nullptr) unref(static_cast<object *>(o));
        return to_c(failed_future(l, ALOOP_ENOMEM));
    }
    future *f = make_create(l, copy, o);
    unref(static_cast<object *>(o));
    return made(l, f);
}

aloop_stream *stream_of(aloop_process *p, int i) {
    return check_process(p) < 0 ? nullptr : to_c(from_c(p)->streams[i]);
}

}  // namespace

// Options -----------------------------------------------------------------------------------

aloop_process_options *aloop_process_options_new(void) {
    return reinterpret_cast<aloop_process_options *>(create<process_options>());
}

int64_t aloop_process_options_set_stdin(aloop_process_options *o, int32_t what) {
    return set_stdio(o, 0, what);
}

int64_t aloop_process_options_set_stdout(aloop_process_options *o, int32_t what) {
    return set_stdio(o, 1, what);
}

int64_t aloop_process_options_set_stderr(aloop_process_options *o, int32_t what) {
    return set_stdio(o, 2, what);
}

int64_t aloop_process_options_set_cwd(aloop_process_options *handle, const char *path) {
    process_options *o = from_options(handle);
    if (o == nullptr || path == nullptr) return ALOOP_EINVAL;
    char *copy = copy_string(path);
    if (copy == nullptr) return ALOOP_ENOMEM;
    release(o->cwd);
    o->cwd = copy;
    return 0;
}

int64_t aloop_process_options_set_env(aloop_process_options *handle, const char *const *env) {
    process_options *o = from_options(handle);
    if (o == nullptr || env == nullptr) return ALOOP_EINVAL;
    char **copy = copy_strings(env);
    if (copy == nullptr) return ALOOP_ENOMEM;
    release(o->env);
    o->env = copy;
    return 0;
}

int64_t aloop_process_options_add_fd(aloop_process_options *handle, int32_t fd, int32_t child_fd) {
    process_options *o = from_options(handle);
    if (o == nullptr || fd < 0 || child_fd < 3 || child_fd > 65535) return ALOOP_EINVAL;
    if (o->mapping_count == k_most_mappings) return ALOOP_EINVAL;
    o->mappings[o->mapping_count++] = {fd, child_fd};
    return 0;
}

int64_t aloop_process_options_set_new_session(aloop_process_options *handle, int32_t new_session) {
    process_options *o = from_options(handle);
    if (o == nullptr) return ALOOP_EINVAL;
    o->new_session = new_session != 0;
    return 0;
}

int64_t aloop_process_options_set_process_group(aloop_process_options *handle, int32_t group) {
    process_options *o = from_options(handle);
    if (o == nullptr || group < 0) return ALOOP_EINVAL;
    o->process_group = group;
    return 0;
}

int64_t aloop_process_options_set_user(aloop_process_options *handle, uint32_t uid) {
    process_options *o = from_options(handle);
    if (o == nullptr || uid == k_no_id) return ALOOP_EINVAL;
    o->has_user = true;
    o->user = uid;
    return 0;
}

int64_t aloop_process_options_set_group(aloop_process_options *handle, uint32_t gid) {
    process_options *o = from_options(handle);
    if (o == nullptr || gid == k_no_id) return ALOOP_EINVAL;
    o->has_group = true;
    o->group = gid;
    return 0;
}

int64_t aloop_process_options_set_umask(aloop_process_options *handle, int32_t mask) {
    process_options *o = from_options(handle);
    if (o == nullptr || mask < 0 || mask > 0777) return ALOOP_EINVAL;
    o->mask = mask;
    return 0;
}

int64_t aloop_process_options_add_rlimit(aloop_process_options *handle, int32_t resource,
                                         uint64_t soft, uint64_t hard) {
    process_options *o = from_options(handle);
    const bool known = resource >= 0 && resource < static_cast<int>(RLIM_NLIMITS);
    if (o == nullptr || !known || soft > hard || o->limit_count == k_most_limits) {
        return ALOOP_EINVAL;
    }
    o->limits[o->limit_count++] = {resource, {soft, hard}};
    return 0;
}

int64_t aloop_process_options_set_limit(aloop_process_options *handle, size_t bytes) {
    process_options *o = from_options(handle);
    if (o == nullptr || bytes == 0) return ALOOP_EINVAL;
    o->limit = bytes;
    return 0;
}

int64_t aloop_process_options_set_output_limit(aloop_process_options *handle, size_t bytes) {
    process_options *o = from_options(handle);
    if (o == nullptr) return ALOOP_EINVAL;
    o->output_limit = bytes;
    return 0;
}

// Children -------------------------------------------------------------------------------------

aloop_future *aloop_create_subprocess_exec(const char *const *argv,
                                           const aloop_process_options *options) {
    return create_child(argv, options);
}

aloop_future *aloop_create_subprocess_shell(const char *command,
                                            const aloop_process_options *options) {
    const char *argv[] = {"/bin/sh", "-c", command, nullptr};
    return create_child(command != nullptr ? argv : nullptr, options);
}

int64_t aloop_process_pid(aloop_process *p) {
    const int64_t code = check_process(p);
    return code < 0 ? code : from_c(p)->pid;
}

int64_t aloop_process_returncode(aloop_process *handle, int32_t *status) {
    const int64_t code = check_process(handle);
    if (code < 0) return code;
    const process *p = from_c(handle);
    if (p->running) return 0;
    if (status != nullptr) *status = p->returncode;
    return 1;
}

aloop_stream *aloop_process_stdin(aloop_process *p) { return stream_of(p, 0); }

aloop_stream *aloop_process_stdout(aloop_process *p) { return stream_of(p, 1); }

aloop_stream *aloop_process_stderr(aloop_process *p) { return stream_of(p, 2); }

aloop_future *aloop_process_wait(aloop_process *p) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    const int64_t code = check_process(p);
    if (code < 0) return to_c(failed_future(l, code));
    return made(l, make_process_wait(from_c(p)));
}

aloop_future *aloop_process_communicate(aloop_process *p, const void *input, size_t n) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    int64_t code = check_process(p);
    if (code == 0 && n > 0 && input == nullptr) code = ALOOP_EINVAL;
    if (code < 0) return to_c(failed_future(l, code));
    bytes *copy = n > 0 ? make_bytes(input, n) : nullptr;
    if (n > 0 && copy == nullptr) return to_c(failed_future(l, ALOOP_ENOMEM));
    return made(l, make_communicate(from_c(p), copy));
}

aloop_bytes *aloop_process_output(aloop_process *p, int32_t fd) {
    if (check_process(p) < 0 || (fd != 1 && fd != 2)) return nullptr;
    const output &out = from_c(p)->outputs[fd - 1];
    return to_c(make_bytes(out.data, out.size));
}

int64_t aloop_process_send_signal(aloop_process *p, int32_t signum) {
    const int64_t code = check_process(p);
    return code < 0 ? code : signal_process(from_c(p), signum);
}

int64_t aloop_process_terminate(aloop_process *p) { return aloop_process_send_signal(p, SIGTERM); }

int64_t aloop_process_kill(aloop_process *p) { return aloop_process_send_signal(p, SIGKILL); }

int64_t aloop_process_signal_group(aloop_process *p, int32_t signum) {
    const int64_t code = check_process(p);
    return code < 0 ? code : signal_group(from_c(p), signum);
}
