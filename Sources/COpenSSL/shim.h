// OpenSSL's macros, which Swift does not import, as inline functions.
#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline int splitstream_tls_limit_versions(SSL_CTX *context, int min, int max) {
  return SSL_CTX_set_min_proto_version(context, min) == 1
      && SSL_CTX_set_max_proto_version(context, max) == 1;
}

static inline int splitstream_tls_set_groups(SSL_CTX *context, const char *groups) {
  return SSL_CTX_set1_groups_list(context, groups);
}

static inline void splitstream_tls_set_mode(SSL_CTX *context, long mode) {
  SSL_CTX_set_mode(context, mode);
}

static inline void splitstream_tls_set_session_cache(SSL_CTX *context, long mode) {
  SSL_CTX_set_session_cache_mode(context, mode);
}

static inline void splitstream_tls_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }

// The options are 64-bit macros built with shifts.
static inline void splitstream_tls_set_options(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
      | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
}

static inline void splitstream_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void splitstream_bio_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
static inline void splitstream_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline EVP_PKEY *splitstream_make_p256_key(void) { return EVP_EC_gen("P-256"); }

// The bytes of a memory BIO, which stay the BIO's own.
static inline long splitstream_bio_bytes(BIO *bio, char **bytes) {
  return BIO_get_mem_data(bio, bytes);
}
