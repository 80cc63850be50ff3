/*
 * certificate.h: makes certificates, good ones and bad ones, for servers of one's
 * own to be checked with. By OpenSSL; nothing here is asyncloop's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_CERTIFICATE_H
#define EXAMPLES_CERTIFICATE_H

/* Both in PEM, to be freed with drop_certificate. */
struct certificate {
    char *cert;
    char *key;
};

struct certificate_wish {
    const char *name;     /* the common name */
    const char *for_names; /* "DNS:localhost,IP:127.0.0.1"; NULL: of an authority */
    int from_days, to_days; /* from now; both 0: valid for a day on both sides */
};

/* Signed by the issuer, or by itself (NULL). cert is NULL if it did not work. */
struct certificate make_certificate(struct certificate_wish wish, const struct certificate *issuer);
void drop_certificate(struct certificate *certificate);

#endif
