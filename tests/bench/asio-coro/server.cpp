// Boost.Asio with C++20 coroutines: one a connection. TLS by its ssl::stream.
//
// SPDX-License-Identifier: MIT

#include <boost/asio/ssl.hpp>
#include "../common/asio.h"

#include "../common/net.h"

using asio::use_awaitable;
using asio::ip::tcp;
using tls_stream = asio::ssl::stream<tcp::socket>;

static server_mode mode;
static asio::ssl::context tls(asio::ssl::context::tls_server);

template <class Stream>
static asio::awaitable<void> echo(Stream &stream) {
    char buffer[16384];
    for (;;) {
        size_t n = co_await stream.async_read_some(asio::buffer(buffer), use_awaitable);
        co_await asio::async_write(stream, asio::buffer(buffer, n), use_awaitable);
    }
}

static asio::awaitable<void> serve(tcp::socket socket) try {
    co_await echo(socket);
} catch (const boost::system::system_error &) {  // the client is gone
}

static asio::awaitable<void> serve_tls(tls_stream stream) try {
    co_await stream.async_handshake(asio::ssl::stream_base::server, use_awaitable);
    co_await echo(stream);
} catch (const boost::system::system_error &) {
}

static asio::awaitable<void> listen(tcp::acceptor &acceptor) {
    auto executor = acceptor.get_executor();
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
        if (mode.accept_only) continue;
        socket.set_option(tcp::no_delay(true));
        if (mode.tls)
            asio::co_spawn(executor, serve_tls(tls_stream(std::move(socket), tls)), asio::detached);
        else
            asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
    }
}

int main(int argc, char **argv) {
    mode = server_args(argc, argv);
    if (mode.tls) {
        tls.use_certificate_chain_file(argv[2]);
        tls.use_private_key_file(argv[3], asio::ssl::context::pem);
    }
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    tcp::acceptor acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    announce_port(acceptor.local_endpoint().port());
    asio::co_spawn(loop, listen(acceptor), asio::detached);
    loop.run();
}
