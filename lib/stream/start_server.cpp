// start_server.cpp: making servers: resolve the hosts, bind a socket to each of
// their addresses, listen.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "../context/context.hpp"
#include "../loop/watchers.hpp"
#include "../protocol/protocol.hpp"
#include "../resolver/resolver.hpp"
#include "connect.hpp"
#include "server.hpp"

namespace aloop {

namespace {

struct start_op final : operation {
    served how;  // a reference to its protocol
    char *host;
    int32_t port;
    stream_options *options;  // owned
    address_list *places = nullptr;  // owned
    const extra_host *next_host;      // of the options', to be resolved yet
    server *made = nullptr;          // owned
    bool of_unix = false;

    start_op(domain *d, const served &h, char *name, int32_t number, stream_options *o);
    ~start_op() {
        if (made != nullptr) unref(static_cast<loop_object *>(made));
        if (places != nullptr) free_addresses(places);
        release(host);
        unref(options);
        if (how.by != nullptr) unref(how.by);
    }
};

void set_option(loop *l, int fd, int level, int name) {
    const int one = 1;
    l->sys()->setsockopt(fd, level, name, &one, sizeof one);
}

// 1 with a bound socket in *out, 0: this address does not exist here, or -errno.
int64_t bind_socket(start_op *op, const address &to, int *out) {
    loop *l = loop_of(op);
    const int64_t fd =
        l->sys()->socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -EAFNOSUPPORT || fd == -EPROTONOSUPPORT) return 0;
    if (fd < 0) return fd;
    const int s = static_cast<int>(fd);
    const bool internet = to.family() != AF_UNIX;
    if (internet && op->options->reuse_address != 0) set_option(l, s, SOL_SOCKET, SO_REUSEADDR);
    if (internet && op->options->reuse_port != 0) set_option(l, s, SOL_SOCKET, SO_REUSEPORT);
    if (internet && op->options->keep_alive != 0) set_option(l, s, SOL_SOCKET, SO_KEEPALIVE);
    if (to.family() == AF_INET6) set_option(l, s, IPPROTO_IPV6, IPV6_V6ONLY);
    remove_stale(to);
    const int64_t code = l->sys()->bind(s, &to.any, to.size);
    if (code >= 0) {
        *out = s;
        return 1;
    }
    l->sys()->close(s);
    if (code == -EADDRNOTAVAIL) return 0;
    char text[k_address_text];
    if (to.family() == AF_UNIX && code == -EADDRINUSE) {
        return op->fail(code, "Address %s is already in use",
                        describe_address(to, text, sizeof text));
    }
    char reason[96];
    std::snprintf(reason, sizeof reason, "%s", describe(code));
    reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
    return op->fail(code, "error while attempting to bind on address %s: %s",
                    describe_address(to, text, sizeof text), reason);
}

int64_t add_listener(server *s, int fd) {
    watcher_set *watchers = watcher_set::of(loop_of(s));
    const int64_t code = watchers != nullptr ? watchers->claim(fd) : int64_t{ALOOP_ENOMEM};
    if (code < 0) return code;
    listener *at = new (&s->listeners[s->count++]) listener;
    at->io::fd = fd;
    at->bits = k_readable;
    at->edge = true;
    at->ready = listener_ready;
    at->node::fn = run_listener;
    at->home = s;
    return 0;
}

int64_t bind_all(start_op *op, const address_list *list) {
    server *s = op->made;
    const address *all = list->entries;
    for (int64_t i = 0; i < list->count; i++) {
        int fd = -1;
        int64_t code = bind_socket(op, all[i], &fd);
        if (code > 0) {
            code = add_listener(s, fd);
            if (code < 0) loop_of(op)->sys()->close(fd);
        }
        if (code < 0) return code;
    }
    if (s->count > 0) return 0;
    char text[k_address_text];
    return op->fail(-EADDRNOTAVAIL, "could not bind on any address out of [%s%s]",
                    describe_address(all[0], text, sizeof text), list->count > 1 ? ", ..." : "");
}

int64_t add_given(start_op *op) {
    const int fd = op->options->descriptor;
    const int64_t code = check_given(op, fd, op->of_unix);
    return code < 0 ? code : add_listener(op->made, fd);
}

// The program's socket, and its file, stay the program's where no server comes of it.
void give_back(server *s) {
    if (s->options->descriptor < 0 || s->count == 0) return;
    loop *l = loop_of(s);
    listener *at = s->listeners;
    if (static_cast<io *>(at)->added) l->io_poller()->remove(at);
    l->watchers->disclaim(at->fd);
    at->fd = -1;
    forget_file(std::exchange(s->file, nullptr));
}

socket_file *file_of(const start_op *op) {
    if (op->options->cleanup_socket == 0) return nullptr;
    if (op->options->descriptor < 0) return remember_file(op->places->entries[0]);
    address own = {};
    own.size = sizeof own.path - 1;  // a NUL stays behind it; longer ones are cut
    const sys_table *sys = loop_of(op)->sys();
    const bool known = op->of_unix &&
                       sys->getsockname(op->options->descriptor, &own.any, &own.size) >= 0;
    return known && own.size <= sizeof own.path ? remember_file(own) : nullptr;
}

int64_t make_server(start_op *op) {
    const address_list *list = op->places;  // nullptr: the program's socket instead
    loop *l = loop_of(op);
    ref(op->options);
    server *s = l->make_object<server>(op->options);
    if (s == nullptr) {
        unref(op->options);
        return ALOOP_ENOMEM;
    }
    op->made = s;
    s->context = capture_context();
    s->let_go = let_server_go;
    const size_t most = list != nullptr ? static_cast<size_t>(list->count) : 1;
    s->listeners = static_cast<listener *>(allocate(most * sizeof(listener)));
    if (s->listeners == nullptr) return ALOOP_ENOMEM;
    int64_t code = list != nullptr ? bind_all(op, list) : add_given(op);
    if (code < 0) return code;
    s->file = file_of(op);
    s->spare = static_cast<int>(l->sys()->open("/dev/null", O_RDONLY | O_CLOEXEC, 0));
    if (op->options->start_serving != 0) code = start_serving(s);
    if (code < 0) {
        give_back(s);
        return code;
    }
    s->how = op->how;
    if (s->how.by != nullptr) ref(s->how.by);
    s->owns_data = true;
    ref(static_cast<loop_object *>(s));  // its own, until it is closed
    l->self_held.push(static_cast<self_held *>(s));
    return 0;
}

void free_server(void *s) {
    close_server(static_cast<server *>(s));
    unref(static_cast<loop_object *>(static_cast<server *>(s)));
}

bool same(const address &a, const address &b) {
    return a.size == b.size && std::memcmp(&a.any, &b.any, a.size) == 0;
}

// Adds what a host resolved to (consumed); an address that is there already is not.
int64_t add_places(start_op *op, address_list *more) {
    if (op->places == nullptr) {
        op->places = more;
        return 0;
    }
    const int64_t had = op->places->count;
    address_list *all = make_addresses(had + more->count);
    if (all != nullptr) {
        all->count = had;
        address *to = all->entries;
        for (int64_t i = 0; i < had; i++) to[i] = op->places->entries[i];
        for (int64_t i = 0; i < more->count; i++) {
            const address *from = more->entries;
            int64_t k = 0;
            while (k < all->count && !same(to[k], from[i])) k++;
            if (k == all->count) to[all->count++] = from[i];
        }
        free_addresses(std::exchange(op->places, all));
    }
    free_addresses(more);
    return all != nullptr ? 0 : int64_t{ALOOP_ENOMEM};
}

int64_t resolve_host(start_op *op, const char *name) {
    return op->await(resolve(loop_of(op), name, op->port, op->options->family, true));
}

enum : uint32_t { k_begin = 0, k_resolved, k_started };

int64_t listen_all(start_op *op) {
    const int64_t code = make_server(op);
    if (code < 0) return code;
    op->phase = k_started;
    if (op->options->start_serving != 0) return op->yield();
    op->give(std::exchange(op->made, nullptr), free_server);
    return 0;
}

int64_t step_start(operation *base, task *, int64_t status) {
    start_op *op = static_cast<start_op *>(base);
    if (status < 0) {
        if (op->phase == k_started) {
            op->made->owns_data = false;  // the data stay the caller's
            give_back(op->made);
            close_server(op->made);
        }
        return status;
    }
    switch (op->phase) {
    case k_begin:
        if (op->places != nullptr || op->options->descriptor >= 0) return listen_all(op);
        op->phase = k_resolved;
        return resolve_host(op, op->host);
    case k_resolved: {
        void *list = nullptr;
        take_value(op->inner, &list);
        const int64_t code = add_places(op, static_cast<address_list *>(list));
        if (code < 0) return code;
        if (op->next_host == nullptr) return listen_all(op);
        return resolve_host(op, std::exchange(op->next_host, op->next_host->next)->name);
    }
    default:
        op->give(std::exchange(op->made, nullptr), free_server);
        return 0;
    }
}

const op_info k_start = {"start_server", step_start, free_operation<start_op>};

start_op::start_op(domain *d, const served &h, char *name, int32_t number, stream_options *o)
    : operation(d, &k_start), how(h), host(name), port(number), options(o),
      next_host(o->more_hosts) {
    if (how.by != nullptr) ref(how.by);
}

}  // namespace

future *make_start_server(loop *l, const served &how, const char *host, int32_t port,
                          stream_options *options) {
    char *name = host != nullptr ? copy_string(host) : nullptr;
    start_op *op = nullptr;
    if (host == nullptr || name != nullptr) {
        op = l->make_object<start_op>(how, name, port, options);
    }
    if (op == nullptr) {
        release(name);
        unref(options);
    }
    return op;
}

future *make_start_unix_server(loop *l, const served &how, const address &at,
                               stream_options *options) {
    future *f = make_start_server(l, how, nullptr, 0, options);
    if (f == nullptr) return nullptr;
    start_op *op = static_cast<start_op *>(f);
    op->of_unix = true;
    if (at.size == 0) return op;
    op->places = make_addresses(1);
    if (op->places == nullptr) {
        unref(f);
        return nullptr;
    }
    op->places->entries[0] = at;
    return f;
}

}  // namespace aloop
