// A TCP server that sends back what it gets. Ctrl-C ends it.
//
//     echo_server [PORT]    8888 by default; 0: any free one
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

using stream = aloop::ref<aloop_stream>;

aloop::task<> handle_echo(stream client) {
    aloop::outcome read = co_await aloop_stream_read(client.get(), 100);
    aloop::ref<aloop_bytes> data(static_cast<aloop_bytes *>(read.value));
    const std::string message(reinterpret_cast<const char *>(aloop_bytes_data(data.get())),
                              aloop_bytes_size(data.get()));
    char address[64];
    aloop_stream_get_extra_info(client.get(), "peername", address, sizeof address);
    std::printf("Received '%s' from %s\n", message.c_str(), address);
    std::printf("Send: '%s'\n", message.c_str());
    aloop_stream_write(client.get(), message.data(), message.size());
    co_await aloop_stream_drain(client.get());
    std::puts("Close the connection");
}  // the last reference closes it

aloop::task<> run(int port) {
    aloop::outcome started =
        co_await aloop_start_server(nullptr, nullptr, "127.0.0.1", port, nullptr);
    aloop::ref<aloop_server> server(static_cast<aloop_server *>(started.value));
    std::printf("Serving on 127.0.0.1:%d\n", (int)aloop_server_port(server.get(), 0));
    for (;;) {
        aloop::outcome accepted = co_await aloop_server_accept(server.get());
        aloop::spawn(handle_echo(stream(static_cast<aloop_stream *>(accepted.value))));
    }
}

int main(int argc, char **argv) try {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    aloop::run(run(argc > 1 ? std::atoi(argv[1]) : 8888));
} catch (const aloop::error &e) {
    if (e.code() == -EINTR) return 0;  // Ctrl-C
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
