// Sends a line to echo_server and prints what comes back.
//
//     echo_client [MESSAGE [PORT]]
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

aloop::task<> tcp_echo_client(std::string message, int port) {
    aloop::outcome opened = co_await aloop_open_connection("127.0.0.1", port, nullptr);
    aloop::ref<aloop_stream> stream(static_cast<aloop_stream *>(opened.value));

    std::printf("Send: '%s'\n", message.c_str());
    aloop_stream_write(stream.get(), message.data(), message.size());
    co_await aloop_stream_drain(stream.get());

    aloop::outcome read = co_await aloop_stream_read(stream.get(), 100);
    aloop::ref<aloop_bytes> data(static_cast<aloop_bytes *>(read.value));
    std::printf("Received: '%s'\n", reinterpret_cast<const char *>(aloop_bytes_data(data.get())));

    std::puts("Close the connection");
    aloop_stream_close(stream.get());
    co_await aloop_stream_wait_closed(stream.get());
}

int main(int argc, char **argv) try {
    aloop::run(
        tcp_echo_client(argc > 1 ? argv[1] : "Hello World!", argc > 2 ? std::atoi(argv[2]) : 8888));
} catch (const aloop::error &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
