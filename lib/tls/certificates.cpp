// certificates.cpp: reading certificates and keys, from files and from text, and
// telling what is wrong with them.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../base/memory.hpp"
#include "authorities.hpp"
#include "context.hpp"

namespace aloop {

namespace {

// PEM text, and what messages call it.
struct text {
    char *data = nullptr;  // owned
    const char *name;

    explicit text(const char *called) : name(called) {}
    text(const text &) = delete;
    text &operator=(const text &) = delete;
    ~text() {
        if (data != nullptr) OPENSSL_cleanse(data, std::strlen(data));
        release(data);
    }
};

int64_t read_all(int fd, text *into) {
    constexpr size_t k_most = size_t{16} << 20;
    struct stat info;
    if (fstat(fd, &info) < 0) return -errno;
    if (S_ISDIR(info.st_mode)) return -EISDIR;
    size_t room = info.st_size > 0 ? static_cast<size_t>(info.st_size) + 1 : 65536;
    if (room > k_most) return -EFBIG;
    into->data = static_cast<char *>(allocate(room + 1));
    if (into->data == nullptr) return ALOOP_ENOMEM;
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, into->data + n, room - n)) > 0 || (got < 0 && errno == EINTR)) {
        if (got > 0) n += static_cast<size_t>(got);
        if (n == room) break;
    }
    const int code = errno;
    into->data[n] = '\0';
    return got < 0 ? -code : n == room ? -EFBIG : 0;
}

int64_t read_file(tls_context *c, const char *path, const char *what, text *into) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int64_t code = fd < 0 ? -errno : 0;
    if (code == 0) code = read_all(fd, into);
    if (fd >= 0) close(fd);
    if (code < 0) complain(c, code, "cannot read %s from '%s': %s", what, path, describe(code));
    return code;
}

// Never asks on the terminal.
int give_password(char *buffer, int size, int, void *password) {
    if (password == nullptr) return 0;
    const size_t n = std::strlen(static_cast<const char *>(password));
    if (n > static_cast<size_t>(size)) return 0;
    std::memcpy(buffer, password, n);
    return static_cast<int>(n);
}

struct free_bio {
    void operator()(BIO *b) const { BIO_free(b); }
    void operator()(X509 *x) const { X509_free(x); }
    void operator()(EVP_PKEY *k) const { EVP_PKEY_free(k); }
    void operator()(STACK_OF(X509) * list) const { sk_X509_pop_free(list, X509_free); }
};

// An owner for what OpenSSL allocates.
template <typename T>
struct owned {
    T *it;
    explicit owned(T *object) : it(object) {}
    owned(const owned &) = delete;
    owned &operator=(const owned &) = delete;
    ~owned() {
        if (it != nullptr) free_bio()(it);
    }
};

X509 *next_certificate(BIO *from) {
    return PEM_read_bio_X509_AUX(from, nullptr, give_password, nullptr);
}

// Whether reading stopped because there is no more, not because of what is there.
bool at_end_of_text() {
    const unsigned long code = ERR_peek_last_error();
    const bool end =
        ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (end) ERR_clear_error();
    return end;
}

int64_t bad_text(tls_context *c, const text &from, const char *what, bool any) {
    char reason[160];
    if (any) {
        return complain(c, ALOOP_ETLS, "'%s' holds %s that cannot be read: %s", from.name, what,
                        openssl_reason(reason, sizeof reason));
    }
    return complain(c, ALOOP_ETLS, "'%s' holds no %s in PEM (\"-----BEGIN ...\")", from.name, what);
}

// Where the program's authorities go: its own store from the first one on, in place
// of the system's. nullptr: out of memory.
X509_STORE *own_store(tls_context *c) {
    if (c->owns_store) return SSL_CTX_get_cert_store(c->ctx);
    X509_STORE *store = X509_STORE_new();
    if (store == nullptr || (c->keeps_system && !add_system(store))) {
        X509_STORE_free(store);
        return nullptr;
    }
    SSL_CTX_set_cert_store(c->ctx, store);
    c->owns_store = true;
    return store;
}

int64_t keep_system(tls_context *c) {
    c->keeps_system = true;
    const bool kept = c->owns_store ? add_system(SSL_CTX_get_cert_store(c->ctx))
                                    : trust_system(c->ctx);
    return kept ? 0 : int64_t{ALOOP_ENOMEM};
}

int64_t trust_in(tls_context *c, const text &from) {
    owned<BIO> bio(BIO_new_mem_buf(from.data, -1));
    X509_STORE *store = bio.it != nullptr ? own_store(c) : nullptr;
    if (store == nullptr) return ALOOP_ENOMEM;
    int64_t count = 0;
    ERR_clear_error();
    for (;; count++) {
        owned<X509> one(next_certificate(bio.it));
        if (one.it == nullptr) break;
        if (X509_STORE_add_cert(store, one.it) != 1) return ALOOP_ENOMEM;
        // What clients are told to send certificates of.
        if (c->is_server) SSL_CTX_add_client_CA(c->ctx, one.it);
    }
    if (!at_end_of_text()) return bad_text(c, from, "certificate", true);
    return count > 0 ? 0 : bad_text(c, from, "certificate", false);
}

int64_t use(tls_context *c, const text &cert, const text &key, const char *password) {
    owned<BIO> certs(BIO_new_mem_buf(cert.data, -1));
    owned<BIO> keys(BIO_new_mem_buf(key.data, -1));
    owned<STACK_OF(X509)> chain(sk_X509_new_null());
    if (certs.it == nullptr || keys.it == nullptr || chain.it == nullptr) return ALOOP_ENOMEM;
    ERR_clear_error();
    owned<X509> own(next_certificate(certs.it));
    if (own.it == nullptr) return bad_text(c, cert, "certificate", !at_end_of_text());
    while (X509 *more = PEM_read_bio_X509(certs.it, nullptr, give_password, nullptr)) {
        if (sk_X509_push(chain.it, more) > 0) continue;
        X509_free(more);
        return ALOOP_ENOMEM;
    }
    if (!at_end_of_text()) return bad_text(c, cert, "certificate", true);
    owned<EVP_PKEY> private_key(
        PEM_read_bio_PrivateKey(keys.it, nullptr, give_password, const_cast<char *>(password)));
    if (private_key.it == nullptr) {
        if (std::strstr(key.data, "ENCRYPTED") != nullptr) {
            return complain(c, ALOOP_ETLS, "the key in '%s' is encrypted: %s", key.name,
                            password != nullptr ? "the password is wrong" : "it needs a password");
        }
        const bool any = std::strstr(key.data, "PRIVATE KEY-----") != nullptr;
        return bad_text(c, key, "private key", any);
    }
    if (X509_check_private_key(own.it, private_key.it) != 1) {
        return complain(c, ALOOP_ETLS, "the key in '%s' does not belong to the certificate in '%s'",
                        key.name, cert.name);
    }
    if (SSL_CTX_use_cert_and_key(c->ctx, own.it, private_key.it, chain.it, 1) == 1) return 0;
    char reason[160];
    return complain(c, ALOOP_ETLS, "the certificate in '%s' cannot be used: %s", cert.name,
                    openssl_reason(reason, sizeof reason));
}

}  // namespace

int64_t trust(tls_context *c, const char *file, const char *directory) {
    if (file == nullptr && directory == nullptr) return keep_system(c);
    if (file != nullptr) {
        text pem(file);
        int64_t code = read_file(c, file, "certificates", &pem);
        if (code == 0) code = trust_in(c, pem);
        if (code < 0) return code;
    }
    if (directory == nullptr) return 0;
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        const int code = errno;
        return complain(c, -code, "cannot read certificates from '%s': %s", directory,
                        describe(-code));
    }
    close(fd);
    if (own_store(c) == nullptr) return ALOOP_ENOMEM;
    return SSL_CTX_load_verify_dir(c->ctx, directory) == 1 ? 0 : int64_t{ALOOP_ENOMEM};
}

int64_t trust_text(tls_context *c, const char *pem) {
    if (pem == nullptr) return complain(c, ALOOP_EINVAL, "no certificates");
    text copy("the text");
    copy.data = copy_string(pem);
    return copy.data != nullptr ? trust_in(c, copy) : int64_t{ALOOP_ENOMEM};
}

int64_t use_files(tls_context *c, const char *cert_path, const char *key_path,
                  const char *password) {
    if (cert_path == nullptr) return complain(c, ALOOP_EINVAL, "no file with a certificate");
    if (key_path == nullptr) key_path = cert_path;
    text cert(cert_path);
    text key(key_path);
    int64_t code = read_file(c, cert_path, "the certificate", &cert);
    if (code == 0) code = read_file(c, key_path, "the key", &key);
    return code < 0 ? code : use(c, cert, key, password);
}

int64_t use_texts(tls_context *c, const char *cert_pem, const char *key_pem,
                  const char *password) {
    if (cert_pem == nullptr) return complain(c, ALOOP_EINVAL, "no certificate");
    text cert("the certificate's text");
    text key("the key's text");
    cert.data = copy_string(cert_pem);
    key.data = copy_string(key_pem != nullptr ? key_pem : cert_pem);
    const bool copied = cert.data != nullptr && key.data != nullptr;
    return copied ? use(c, cert, key, password) : int64_t{ALOOP_ENOMEM};
}

}  // namespace aloop
