// authorities.hpp: the system's authorities, which all contexts of the process share.
//
// To read them takes OpenSSL tens of milliseconds, so they are read when the first
// context wants them, and again only for a context that is made when their file is
// another one, or has changed: contexts that are there already keep what they have.
// OpenSSL's environment names the places (SSL_CERT_FILE, SSL_CERT_DIR). What is in
// the directory OpenSSL looks up while it verifies, and then keeps.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>

namespace aloop {

// Makes them what ctx trusts, in a store that others use, too: nothing may be added
// to it. False: out of memory.
bool trust_system(SSL_CTX *ctx);

// Adds them to a store of the program's own. False: out of memory.
bool add_system(X509_STORE *to);

}  // namespace aloop
