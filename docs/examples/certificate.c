/* SPDX-License-Identifier: MIT */
#include "certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(BIO *bio) {
    char *data = NULL;
    const long n = BIO_get_mem_data(bio, &data);
    char *text = malloc((size_t)n + 1);
    if (text != NULL) {
        memcpy(text, data, (size_t)n);
        text[n] = '\0';
    }
    BIO_free(bio);
    return text;
}

static X509 *read_certificate(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return x;
}

static EVP_PKEY *read_key(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static int add_extension(X509 *x, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    const int added = extension != NULL && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static void set_times(X509 *x, struct certificate_wish wish) {
    const int given = wish.from_days != 0 || wish.to_days != 0;
    X509_gmtime_adj(X509_getm_notBefore(x), 86400L * (given ? wish.from_days : -1));
    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * (given ? wish.to_days : 1));
}

static int fill_in(X509 *x, struct certificate_wish wish, X509 *issuer) {
    static long serial = 1000;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    set_times(x, wish);
    X509_NAME *name = X509_get_subject_name(x);
    const unsigned char *text = (const unsigned char *)wish.name;
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    const int is_authority = wish.for_names == NULL;
    const char *constraints = is_authority ? "critical,CA:TRUE" : "CA:FALSE";
    return add_extension(x, issuer, NID_basic_constraints, constraints) &&
           add_extension(x, issuer, NID_subject_key_identifier, "hash") &&
           (is_authority || add_extension(x, issuer, NID_subject_alt_name, wish.for_names));
}

struct certificate make_certificate(struct certificate_wish wish,
                                    const struct certificate *issuer) {
    struct certificate made = {NULL, NULL};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *signer = issuer != NULL ? read_key(issuer->key) : key;
    X509 *x = X509_new();
    X509 *from = issuer != NULL ? read_certificate(issuer->cert) : x;
    int done = key != NULL && signer != NULL && x != NULL && from != NULL;
    done = done && X509_set_pubkey(x, key) == 1 && fill_in(x, wish, from);
    done = done && X509_sign(x, signer, EVP_sha256()) > 0;
    BIO *cert_text = BIO_new(BIO_s_mem());
    BIO *key_text = BIO_new(BIO_s_mem());
    done = done && PEM_write_bio_X509(cert_text, x) == 1 &&
           PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) == 1;
    made.cert = text_of(cert_text);
    made.key = text_of(key_text);
    if (issuer != NULL) {
        EVP_PKEY_free(signer);
        X509_free(from);
    }
    EVP_PKEY_free(key);
    X509_free(x);
    if (!done) drop_certificate(&made);
    return made;
}

void drop_certificate(struct certificate *certificate) {
    free(certificate->cert);
    free(certificate->key);
    certificate->cert = certificate->key = NULL;
}
