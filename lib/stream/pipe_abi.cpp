// SPDX-License-Identifier: MIT
#include <asyncloop/stream.h>

#include <cstring>

#include "entry.hpp"
#include "pipe.hpp"

using namespace aloop;

namespace {

size_t limit_of(const aloop_stream_options *options) {
    const stream_options *o = options_from<stream_options>(options);
    return o != nullptr ? o->limit : 65536;
}

aloop_future *connect_pipe(int64_t (*connect)(loop *, int, size_t, stream **), int32_t fd,
                           const aloop_stream_options *options, const char *wrong) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (bad_options(options)) return refused(ALOOP_EINVAL);
    stream *s = nullptr;
    const int64_t code = connect(l, fd, limit_of(options), &s);
    if (code < 0) return refused(code, code == ALOOP_EINVAL ? wrong : nullptr);
    future *f = finished_future(l, 0, s, free_stream);
    if (f == nullptr) discard_stream(s);
    return made(l, f);
}

aloop_future *send_file(aloop_stream *handle, int32_t file, int64_t offset, int64_t n,
                        bool copies) {
    const int64_t code = check_stream(handle);
    if (code < 0) return refused(code);
    if (file < 0) return refused(ALOOP_EINVAL, "no file");
    if (offset < 0) return refused(ALOOP_EINVAL, "offset must be a non-negative integer");
    if (n == 0) return refused(ALOOP_EINVAL, "count must be a positive integer");
    stream *s = from_c(handle);
    return made(loop_of(s), make_send_file(s, file, offset, n, copies));
}

}  // namespace

int64_t aloop_stream_pair(aloop_stream **a, aloop_stream **b,
                          const aloop_stream_options *options) {
    loop *l = current_loop();
    if (a == nullptr || b == nullptr || bad_options(options)) return ALOOP_EINVAL;
    if (l == nullptr) return ALOOP_ENORUNNINGLOOP;
    if (const int64_t code = l->check(); code < 0) return code;
    stream *one, *two;
    const int64_t code = make_pair(l, limit_of(options), &one, &two);
    if (code < 0) return code;
    *a = to_c(one);
    *b = to_c(two);
    return 0;
}

aloop_future *aloop_connect_read_pipe(int32_t descriptor, const aloop_stream_options *options) {
    return connect_pipe(connect_read_pipe, descriptor, options,
                        "Pipe transport is for pipes/sockets only.");
}

aloop_future *aloop_connect_write_pipe(int32_t descriptor, const aloop_stream_options *options) {
    return connect_pipe(connect_write_pipe, descriptor, options,
                        "Pipe transport is only for pipes, sockets and character devices");
}

aloop_future *aloop_stream_sendfile(aloop_stream *stream, int32_t file, int64_t offset,
                                    int64_t count) {
    return send_file(stream, file, offset, count, true);
}

aloop_future *aloop_stream_sendfile_native(aloop_stream *stream, int32_t file, int64_t offset,
                                           int64_t count) {
    return send_file(stream, file, offset, count, false);
}
