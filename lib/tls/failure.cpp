// failure.cpp: what went wrong, in words that say what to do about it.
//
// OpenSSL names the check that failed, mostly in the words of its source. Here
// that is put together with what it does not say: which certificate, whose
// name, what the peer sent instead of TLS.
//
// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "session.hpp"

namespace aloop {

namespace {

constexpr size_t k_text = 200;

const char k_failed[] = "certificate verify failed: ";

error *wrong_name(tls_session *t, X509 *certificate) {
    char names[k_text];
    print_names_of(certificate, names, sizeof names);
    return format_error(ALOOP_ETLSCERT,
                        "%sthe certificate is for %s, and not for '%s': connect to a name it has, "
                        "or set it with aloop_stream_options_set_server_hostname",
                        k_failed, names[0] != '\0' ? names : "no name at all", t->host);
}

error *out_of_date(X509 *certificate, const char *subject, bool expired) {
    char when[64];
    print_time(expired ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate), when,
               sizeof when);
    return format_error(ALOOP_ETLSCERT, "%s'%s' %s %s: %s, unless this machine's clock is wrong",
                        k_failed, subject, expired ? "expired on" : "is not valid before", when,
                        expired ? "the peer needs a new certificate" : "try again then");
}

error *reject(tls_session *t, int reason, X509 *certificate, int depth) {
    char subject[k_text] = "?";
    char issuer[k_text] = "?";
    if (certificate != nullptr) {
        print_name(X509_get_subject_name(certificate), subject, sizeof subject);
        print_name(X509_get_issuer_name(certificate), issuer, sizeof issuer);
    }
    switch (reason) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return out_of_date(certificate, subject, true);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return out_of_date(certificate, subject, false);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return format_error(ALOOP_ETLSCERT,
                            "%sself-signed certificate '%s': if you trust it, load it with "
                            "aloop_tls_context_load_verify",
                            k_failed, subject);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return format_error(ALOOP_ETLSCERT,
                            "%s'%s' comes from an unknown authority, '%s': load that with "
                            "aloop_tls_context_load_verify, or have the peer send its whole chain",
                            k_failed, subject, issuer);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        if (certificate != nullptr && t->host != nullptr) return wrong_name(t, certificate);
        break;
    default:
        break;
    }
    return format_error(ALOOP_ETLSCERT, "%s%s ('%s', number %d of the chain)", k_failed,
                        X509_verify_cert_error_string(reason), subject, depth);
}

// What begins neither as a record of TLS nor as a hello of SSL 2.
bool speaks_no_tls(const tls_session *t) {
    const uint8_t type = t->first[0];
    return t->first_count > 0 && (type < 0x14 || type > 0x17) && (type & 0x80) == 0;
}

// "\"GET / HT\"", or as numbers where it is no text: "05 01 00".
void show_first(const tls_session *t, char *text, size_t size) {
    const auto is_text = [](uint8_t c) { return c < 128 && isprint(c) != 0; };
    const uint8_t *end = std::find_if_not(t->first, t->first + t->first_count, is_text);
    if (end > t->first) {
        std::snprintf(text, size, "\"%.*s\"", static_cast<int>(end - t->first),
                      reinterpret_cast<const char *>(t->first));
        return;
    }
    size_t used = 0;
    for (int i = 0; i < t->first_count; i++) {
        used += static_cast<size_t>(std::snprintf(text + used, size - used, "%s%02x",
                                                  i > 0 ? " " : "", t->first[i]));
    }
}

error *no_tls(const tls_session *t) {
    char sample[3 * sizeof t->first] = "";
    show_first(t, sample, sizeof sample);
    return format_error(ALOOP_ETLS, "the peer does not speak TLS (it began with %s): %s", sample,
                        t->context->is_server ? "it sends plain text to a TLS port"
                                              : "is this the plain port, or another protocol's?");
}

const char *version_name(int64_t version, const char *unlimited) {
    switch (version) {
    case TLS1_VERSION: return "TLSv1";
    case TLS1_1_VERSION: return "TLSv1.1";
    case TLS1_2_VERSION: return "TLSv1.2";
    case TLS1_3_VERSION: return "TLSv1.3";
    default: return unlimited;
    }
}

error *no_version(const tls_session *t) {
    return format_error(ALOOP_ETLS,
                        "the peer has no TLS version that is allowed here (%s to %s): see "
                        "aloop_tls_context_set_min_version and _set_max_version",
                        version_name(SSL_get_min_proto_version(t->ssl), "the oldest"),
                        version_name(SSL_get_max_proto_version(t->ssl), "the newest"));
}

// What the peer complained about, and what helps; nullptr: nothing is known.
const char *advice_for(int reason) {
    switch (reason) {
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "no shared TLS version: see aloop_tls_context_set_min_version";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
        return "no shared cipher, or it wants a certificate: see aloop_tls_context_set_ciphers "
               "and aloop_tls_context_load_cert_chain";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return "no shared ALPN protocol: see aloop_tls_context_set_alpn";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "it wants a certificate: see aloop_tls_context_load_cert_chain";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "it does not know the authority of our certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "our certificate has expired";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return "it does not accept our certificate";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
        return "it has no such server name";
    default:
        return nullptr;
    }
}

error *local_failure(tls_session *t, int reason, const char *words) {
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
        return no_version(t);
    case SSL_R_NO_SHARED_CIPHER:
        return make_error(ALOOP_ETLS, "no shared cipher: the peer offers none of those allowed "
                                      "here (aloop_tls_context_set_ciphers)");
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return make_error(ALOOP_ETLS, "no shared ALPN protocol: the peer offers none of those "
                                      "given to aloop_tls_context_set_alpn");
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return make_error(ALOOP_ETLSCERT, "the peer sent no certificate, and one is required");
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
        return make_error(ALOOP_ETLS, "no TLS version is left between the least and the most that "
                                      "the context allows");
    default:
        return format_error(ALOOP_ETLS, "TLS failed: %s", words);
    }
}

// The end came where none may be.
int64_t explain_end(tls_session *t, error **why) {
    if (t->established) {
        *why = make_error(ALOOP_ETLSTRUNCATED, "the peer closed without a TLS close_notify: what "
                                               "came may not be all");
        return ALOOP_ETLSTRUNCATED;
    }
    *why = make_error(ALOOP_ECONNRESET,
                      t->first_count == 0
                          ? "the peer closed the connection before its side of the TLS handshake"
                          : "the peer closed the connection in the middle of the TLS handshake");
    return ALOOP_ECONNRESET;
}

}  // namespace

int64_t explain(tls_session *t, error **why) {
    const unsigned long first = ERR_peek_error();
    const int reason = ERR_GET_REASON(first);
    char words[k_text];
    openssl_reason(words, sizeof words);
    if (t->no_memory || ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE) return ALOOP_ENOMEM;
    if (t->below != 0) return t->below;
    if (t->rejection && !t->established) {
        *why = t->rejection.detach();
        return (*why)->code;
    }
    const bool plain = !t->established && speaks_no_tls(t);
    const bool left = !t->established && (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    const bool ended = t->below_ended || left;
    if (ended && (first == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        return explain_end(t, why);
    }
    if (plain) *why = no_tls(t);
    else if (const char *advice = advice_for(reason)) {
        *why = format_error(ALOOP_ETLS, "the peer refused the connection (%s): %s", words, advice);
    } else {
        *why = local_failure(t, reason, words);
    }
    return *why != nullptr ? (*why)->code : int64_t{ALOOP_ETLS};
}

int check_certificate(int ok, X509_STORE_CTX *chain) {
    if (ok == 1) return 1;
    const void *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    tls_session *t = session_of(static_cast<const SSL *>(ssl));
    // Where nothing need verify, the handshake goes on, and may fail for another reason.
    if (!t->rejection && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE) {
        t->rejection.reset(reject(t, X509_STORE_CTX_get_error(chain),
                                  X509_STORE_CTX_get_current_cert(chain),
                                  X509_STORE_CTX_get_error_depth(chain)));
    }
    return 0;
}

}  // namespace aloop
