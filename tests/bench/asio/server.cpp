// Boost.Asio with callbacks: async_read_some, async_write, and again. TLS by its ssl::stream.
//
// SPDX-License-Identifier: MIT
#include <array>
#include <memory>

#include <boost/asio/ssl.hpp>
#include "../common/asio.h"

#include "../common/net.h"

using asio::ip::tcp;
using boost::system::error_code;

template <class Stream>
struct session : std::enable_shared_from_this<session<Stream>> {
    Stream stream;
    std::array<char, 16384> buffer;

    explicit session(Stream &&s) : stream(std::move(s)) {}

    void read() {
        stream.async_read_some(asio::buffer(buffer),
                               [self = this->shared_from_this()](error_code error, size_t n) {
                                   if (!error) self->write(n);
                               });
    }
    void write(size_t n) {
        asio::async_write(stream, asio::buffer(buffer, n),
                          [self = this->shared_from_this()](error_code error, size_t) {
                              if (!error) self->read();
                          });
    }
};

using tls_stream = asio::ssl::stream<tcp::socket>;

static server_mode mode;
static asio::ssl::context tls(asio::ssl::context::tls_server);

static void serve(tcp::socket socket) {
    if (mode.accept_only) return;
    socket.set_option(tcp::no_delay(true));
    if (!mode.tls) {
        std::make_shared<session<tcp::socket>>(std::move(socket))->read();
        return;
    }
    auto s = std::make_shared<session<tls_stream>>(tls_stream(std::move(socket), tls));
    s->stream.async_handshake(asio::ssl::stream_base::server, [s](error_code error) {
        if (!error) s->read();
    });
}

static void accept_next(tcp::acceptor &acceptor) {
    acceptor.async_accept([&](error_code error, tcp::socket socket) {
        if (!error) serve(std::move(socket));
        accept_next(acceptor);
    });
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
    accept_next(acceptor);
    loop.run();
}
