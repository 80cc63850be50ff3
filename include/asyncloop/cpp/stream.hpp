// stream.hpp: connections and servers.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_STREAM_HPP
#define ASYNCLOOP_CPP_STREAM_HPP

#include <string>
#include <string_view>

#include <asyncloop/cpp/task.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

namespace detail {

// A future whose value is aloop_bytes, as a string.
class bytes_awaiter : public awaiter {
public:
    using awaiter::awaiter;
    std::string await_resume() {
        ref<aloop_bytes> bytes(static_cast<aloop_bytes *>(awaiter::await_resume().value));
        if (!bytes) return {};
        return std::string(reinterpret_cast<const char *>(aloop_bytes_data(bytes.get())),
                           aloop_bytes_size(bytes.get()));
    }
};

// A future whose value is a reference to an object, as its class here.
template <typename T, typename Native>
class object_awaiter : public awaiter {
public:
    using awaiter::awaiter;
    T await_resume() { return T(static_cast<Native *>(awaiter::await_resume().value)); }
};

}  // namespace detail

// A connection; its copies are one connection. The last one that goes closes it. See
// stream.h for what the functions do and throw.
class stream : public ref<aloop_stream> {
public:
    using ref<aloop_stream>::ref;

    // Up to n bytes, n < 0: all until the end; empty at the end.
    detail::bytes_awaiter read(int64_t n = -1) noexcept {
        return detail::bytes_awaiter(aloop_stream_read(get(), n));
    }
    detail::bytes_awaiter readline() noexcept {
        return detail::bytes_awaiter(aloop_stream_readline(get()));
    }
    detail::bytes_awaiter readexactly(int64_t n) noexcept {
        return detail::bytes_awaiter(aloop_stream_readexactly(get(), n));
    }
    detail::bytes_awaiter readuntil(std::string_view separator) noexcept {
        return detail::bytes_awaiter(
            aloop_stream_readuntil(get(), separator.data(), separator.size()));
    }
    // Sends or queues; co_await drain() now and then, or await write_all.
    void write(std::string_view data) {
        check(aloop_stream_write(get(), data.data(), data.size()));
    }
    detail::awaiter drain() noexcept { return detail::awaiter(aloop_stream_drain(get())); }
    detail::awaiter write_all(std::string_view data) {
        write(data);
        return drain();
    }
    void write_eof() { check(aloop_stream_write_eof(get())); }
    bool at_eof() const noexcept { return aloop_stream_at_eof(get()) == 1; }
    void close() { check(aloop_stream_close(get())); }
    void abort() { check(aloop_stream_abort(get())); }
    detail::awaiter wait_closed() noexcept {
        return detail::awaiter(aloop_stream_wait_closed(get()));
    }
    // "peername", "sockname", ...: empty where it is not known.
    std::string extra_info(const char *name) const {
        const int64_t length = aloop_stream_get_extra_info(get(), name, nullptr, 0);
        std::string text(length > 0 ? static_cast<size_t>(length) + 1 : 0, '\0');
        if (length > 0) {
            aloop_stream_get_extra_info(get(), name, text.data(), text.size());
            text.pop_back();
        }
        return text;
    }
};

inline auto open_connection(const char *host, int32_t port,
                            const aloop_stream_options *options = nullptr) noexcept {
    return detail::object_awaiter<stream, aloop_stream>(aloop_open_connection(host, port, options));
}
inline auto open_unix_connection(const char *path,
                                 const aloop_stream_options *options = nullptr) noexcept {
    return detail::object_awaiter<stream, aloop_stream>(aloop_open_unix_connection(path, options));
}

// Listens; its connections are taken with accept, or served by serve. The last copy
// that goes closes it.
class server : public ref<aloop_server> {
public:
    using ref<aloop_server>::ref;

    auto accept() noexcept {
        return detail::object_awaiter<stream, aloop_stream>(aloop_server_accept(get()));
    }
    int32_t port(int64_t index = 0) const {
        return static_cast<int32_t>(check(aloop_server_port(get(), index)));
    }
    void close() { check(aloop_server_close(get())); }
    detail::awaiter wait_closed() noexcept {
        return detail::awaiter(aloop_server_wait_closed(get()));
    }
};

inline auto start_server(const char *host, int32_t port,
                         const aloop_stream_options *options = nullptr) noexcept {
    return detail::object_awaiter<server, aloop_server>(
        aloop_start_server(nullptr, nullptr, host, port, options));
}
inline auto start_unix_server(const char *path,
                              const aloop_stream_options *options = nullptr) noexcept {
    return detail::object_awaiter<server, aloop_server>(
        aloop_start_unix_server(nullptr, nullptr, path, options));
}

namespace detail {

template <typename Handler>
task<void> handle(std::shared_ptr<Handler> handler, stream client) {
    co_await (*handler)(std::move(client));
}

}  // namespace detail

// Gives each connection a task of handler(stream), a coroutine, until the server is
// closed or this is cancelled. What a handler throws is reported, as that of any task
// that nobody awaits. The handler lives until the last of those tasks has ended.
template <typename Handler>
task<void> serve(server from, Handler handler) {
    auto shared = std::make_shared<Handler>(std::move(handler));
    for (;;) {
        stream client;
        try {
            client = co_await from.accept();
        } catch (const error &e) {
            if (e.code() == ALOOP_ESTALE) co_return;
            throw;
        }
        spawn(detail::handle(shared, std::move(client)));
    }
}

}  // namespace cxx
}  // namespace aloop

#endif
