// info.cpp: what get_extra_info tells of a TLS connection.
//
// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "../base/bytes.hpp"
#include "session.hpp"

namespace aloop {

namespace {

// Text that OpenSSL prints.
class printed {
public:
    printed() : bio_(BIO_new(BIO_s_mem())) {}
    printed(const printed &) = delete;
    printed &operator=(const printed &) = delete;
    ~printed() {
        BIO_free(bio_);
        ERR_clear_error();
    }
    BIO *bio() { return bio_; }
    int64_t copy(char *buffer, size_t size) const {
        char *data = nullptr;
        const long n = bio_ != nullptr ? BIO_get_mem_data(bio_, &data) : 0;
        if (buffer != nullptr && size > 0) {
            std::snprintf(buffer, size, "%.*s", static_cast<int>(n), n > 0 ? data : "");
        }
        return n;
    }

private:
    BIO *bio_;
};

int64_t give(const char *text, char *buffer, size_t size) {
    if (text == nullptr) return ALOOP_ENOENT;
    if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%s", text);
    return static_cast<int64_t>(std::strlen(text));
}

// So that no name can read as several, or as another: what the text is made with,
// and what shows nothing or otherwise than it is, stands quoted, as JSON has it.
void print_quoted(BIO *to, const char *data, int n) {
    const auto is_odd = [](char c) { return c < ' ' || c > '~' || std::strchr(",\"'\\", c); };
    if (std::none_of(data, data + n, is_odd)) {
        BIO_write(to, data, n);
        return;
    }
    BIO_puts(to, "\"");
    for (int i = 0; i < n; i++) {
        const unsigned c = static_cast<uint8_t>(data[i]);
        if (c < ' ' || c > '~') BIO_printf(to, "\\u%04x", c);
        else BIO_printf(to, c == '"' || c == '\\' ? "\\%c" : "%c", static_cast<int>(c));
    }
    BIO_puts(to, "\"");
}

void print_value(BIO *to, const char *kind, const ASN1_STRING *value) {
    BIO_puts(to, kind);
    print_quoted(to, reinterpret_cast<const char *>(ASN1_STRING_get0_data(value)),
                 ASN1_STRING_length(value));
}

// In OpenSSL's words: a kind, a colon, a value.
void print_as_openssl(BIO *to, GENERAL_NAME *name) {
    printed text;
    if (text.bio() == nullptr) return;
    GENERAL_NAME_print(text.bio(), name);
    char *data = nullptr;
    const int n = static_cast<int>(BIO_get_mem_data(text.bio(), &data));
    const char *colon = n > 0 ? static_cast<char *>(std::memchr(data, ':', n)) : nullptr;
    const int kind = colon != nullptr ? static_cast<int>(colon + 1 - data) : 0;
    BIO_write(to, data, kind);
    print_quoted(to, data + kind, n - kind);
}

void print_alternative(BIO *to, GENERAL_NAME *name) {
    switch (name->type) {
    case GEN_DNS:
        print_value(to, "DNS:", name->d.dNSName);
        return;
    case GEN_EMAIL:
        print_value(to, "email:", name->d.rfc822Name);
        return;
    case GEN_URI:
        print_value(to, "URI:", name->d.uniformResourceIdentifier);
        return;
    default:
        print_as_openssl(to, name);
    }
}

void print_alternatives(BIO *to, X509 *certificate) {
    void *found = X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr);
    GENERAL_NAMES *names = static_cast<GENERAL_NAMES *>(found);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (i > 0) BIO_puts(to, ", ");
        print_alternative(to, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
}

void print_subject(BIO *to, const X509_NAME *name) {
    X509_NAME_print_ex(to, name, 0, XN_FLAG_RFC2253 & ~XN_FLAG_DN_REV);
}

// The certificate's part called name; false: no such part.
bool print_part(BIO *to, X509 *certificate, const char *name) {
    if (name[0] == '\0') {
        PEM_write_bio_X509(to, certificate);
    } else if (std::strcmp(name, "_subject") == 0) {
        print_subject(to, X509_get_subject_name(certificate));
    } else if (std::strcmp(name, "_issuer") == 0) {
        print_subject(to, X509_get_issuer_name(certificate));
    } else if (std::strcmp(name, "_sans") == 0) {
        print_alternatives(to, certificate);
    } else if (std::strcmp(name, "_not_before") == 0) {
        ASN1_TIME_print(to, X509_get0_notBefore(certificate));
    } else if (std::strcmp(name, "_not_after") == 0) {
        ASN1_TIME_print(to, X509_get0_notAfter(certificate));
    } else if (std::strcmp(name, "_serial") == 0) {
        i2a_ASN1_INTEGER(to, X509_get0_serialNumber(certificate));
    } else {
        return false;
    }
    return true;
}

int64_t certificate_info(tls_session *t, const char *part, char *buffer, size_t size) {
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    if (certificate == nullptr) return ALOOP_ENOENT;
    printed text;
    if (text.bio() == nullptr) return ALOOP_ENOMEM;
    if (!print_part(text.bio(), certificate, part)) return ALOOP_ENOENT;
    return text.copy(buffer, size);
}

const char *verify_result(tls_session *t) {
    const long result = SSL_get_verify_result(t->ssl);
    return result == X509_V_OK ? "ok" : X509_verify_cert_error_string(result);
}

int64_t alpn(tls_session *t, char *buffer, size_t size) {
    const unsigned char *name = nullptr;
    unsigned int n = 0;
    SSL_get0_alpn_selected(t->ssl, &name, &n);
    char text[256];
    std::snprintf(text, sizeof text, "%.*s", static_cast<int>(n),
                  reinterpret_cast<const char *>(name));
    return give(n > 0 ? text : nullptr, buffer, size);
}

int64_t cipher(tls_session *t, char *buffer, size_t size) {
    const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);
    if (c == nullptr) return ALOOP_ENOENT;
    char text[160];
    std::snprintf(text, sizeof text, "%s %s %d", SSL_CIPHER_get_name(c), SSL_get_version(t->ssl),
                  SSL_CIPHER_get_bits(c, nullptr));
    return give(text, buffer, size);
}

// The bytes that encode(object, to) writes.
template <typename T>
int64_t encode(T *object, int (*to_der)(const T *, unsigned char **), bytes **out) {
    const int n = object != nullptr ? to_der(object, nullptr) : 0;
    if (n <= 0) return ALOOP_ENOENT;
    bytes *b = make_bytes(nullptr, static_cast<size_t>(n));
    if (b == nullptr) return ALOOP_ENOMEM;
    unsigned char *at = b->data;
    to_der(object, &at);
    *out = b;
    return 0;
}

}  // namespace

void print_name(const X509_NAME *name, char *text, size_t size) {
    printed p;
    if (p.bio() != nullptr) print_subject(p.bio(), name);
    p.copy(text, size);
}

void print_time(const ASN1_TIME *time, char *text, size_t size) {
    printed p;
    if (p.bio() != nullptr) ASN1_TIME_print(p.bio(), time);
    p.copy(text, size);
}

void print_names_of(X509 *certificate, char *text, size_t size) {
    printed p;
    if (p.bio() != nullptr) print_alternatives(p.bio(), certificate);
    p.copy(text, size);
}

int64_t tls_info(stream *s, const char *name, char *buffer, size_t size) {
    tls_session *t = session_of(s);
    if (!t->established) return ALOOP_ENOENT;
    if (std::strncmp(name, "peercert", 8) == 0) return certificate_info(t, name + 8, buffer, size);
    if (std::strcmp(name, "cipher") == 0) return cipher(t, buffer, size);
    if (std::strcmp(name, "alpn_protocol") == 0) return alpn(t, buffer, size);
    if (std::strcmp(name, "tls_version") == 0) return give(SSL_get_version(t->ssl), buffer, size);
    if (std::strcmp(name, "verify_result") == 0) return give(verify_result(t), buffer, size);
    if (std::strcmp(name, "server_hostname") == 0) return give(t->host, buffer, size);
    if (std::strcmp(name, "session_reused") == 0) {
        return give(SSL_session_reused(t->ssl) == 1 ? "1" : "0", buffer, size);
    }
    return ALOOP_ENOENT;
}

int64_t encode_peer(tls_session *t, bytes **out) {
    const X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    return encode<X509>(const_cast<X509 *>(certificate), i2d_X509, out);
}

int64_t encode_session(tls_session *t, bytes **out) {
    SSL_SESSION *session = SSL_get_session(t->ssl);
    if (session == nullptr || SSL_SESSION_is_resumable(session) != 1) return ALOOP_ENOENT;
    return encode<SSL_SESSION>(session, i2d_SSL_SESSION, out);
}

}  // namespace aloop
