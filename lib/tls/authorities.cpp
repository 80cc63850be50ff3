// SPDX-License-Identifier: MIT
#include "authorities.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "../base/fork.hpp"
#include "../base/locked.hpp"

namespace aloop {

namespace {

// Where they came from, and the file as it was then; zeros: there was none.
struct origin {
    const char *file;
    const char *directory;
    struct stat as_it_was;
};

const char *place(const char *variable, const char *otherwise) {
    const char *named = secure_getenv(variable);
    return named != nullptr ? named : otherwise;
}

origin look() {
    origin o = {place(X509_get_default_cert_file_env(), X509_get_default_cert_file()),
                place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()),
                {}};
    if (stat(o.file, &o.as_it_was) != 0) o.as_it_was = {};
    return o;
}

bool same_time(const timespec &a, const timespec &b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool same_file(const struct stat &a, const struct stat &b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
           same_time(a.st_mtim, b.st_mtim) && same_time(a.st_ctim, b.st_ctim);
}

pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;  // of what follows, also as it is read
whole_at_fork g_whole(&g_mutex);
X509_STORE *g_store = nullptr;
origin g_from = {};  // its texts are copies, OpenSSL's as the store is

bool is_of(const origin &now) {
    return g_store != nullptr && std::strcmp(g_from.file, now.file) == 0 &&
           std::strcmp(g_from.directory, now.directory) == 0 &&
           same_file(g_from.as_it_was, now.as_it_was);
}

bool load(const origin &from) {
    X509_STORE *store = X509_STORE_new();
    char *file = OPENSSL_strdup(from.file);
    char *directory = OPENSSL_strdup(from.directory);
    if (store == nullptr || file == nullptr || directory == nullptr ||
        X509_STORE_set_default_paths(store) != 1) {
        X509_STORE_free(store);
        OPENSSL_free(file);
        OPENSSL_free(directory);
        return false;
    }
    X509_STORE_free(std::exchange(g_store, store));
    OPENSSL_free(const_cast<char *>(g_from.file));
    OPENSSL_free(const_cast<char *>(g_from.directory));
    g_from = {file, directory, from.as_it_was};
    return true;
}

// A reference; nullptr: out of memory.
X509_STORE *system_authorities() {
    X509_STORE *store = nullptr;
    {
        locked hold(&g_mutex);
        const origin now = look();
        if (is_of(now) || load(now)) store = g_store;
        if (store != nullptr) X509_STORE_up_ref(store);
    }
    ERR_clear_error();
    return store;
}

// Those that were read from the file, or found in the directory since.
bool copy_certificates(X509_STORE *from, X509_STORE *to) {
    STACK_OF(X509) *all = X509_STORE_get1_all_certs(from);
    bool ok = all != nullptr;
    for (int i = 0; ok && i < sk_X509_num(all); i++) {
        ok = X509_STORE_add_cert(to, sk_X509_value(all, i)) == 1;
    }
    sk_X509_pop_free(all, X509_free);
    return ok;
}

}  // namespace

bool trust_system(SSL_CTX *ctx) {
    X509_STORE *store = system_authorities();
    if (store == nullptr) return false;
    SSL_CTX_set_cert_store(ctx, store);
    return true;
}

bool add_system(X509_STORE *to) {
    X509_STORE *from = system_authorities();
    if (from == nullptr) return false;
    bool ok = copy_certificates(from, to);
    X509_LOOKUP *directories = ok ? X509_STORE_add_lookup(to, X509_LOOKUP_hash_dir()) : nullptr;
    ok = directories != nullptr &&
         X509_LOOKUP_add_dir(directories, nullptr, X509_FILETYPE_DEFAULT) == 1;
    X509_STORE_free(from);
    ERR_clear_error();
    return ok;
}

}  // namespace aloop
