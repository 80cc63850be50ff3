/*
 * peer.h: a stream of the loop, and what stands at its other end: a plain socket
 * in the test's own hands, so that a test decides what arrives when.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

#include "support.h"

struct peer {
    aloop_stream *stream;
    int fd; /* blocking */
};

/* Inside a task. options (consumed) may be NULL. */
struct peer connect_peer(aloop_stream_options *options);
/* Closes the descriptor if it is open, aborts the stream and drops it. */
void drop_peer(struct peer *peer);

void peer_sends(struct peer *peer, const char *text);
/* Waits until n bytes for the stream lie in the kernel, unread. */
void let_arrive(const struct peer *peer, int n);
void peer_ends(struct peer *peer);   /* closes in order */
void peer_resets(struct peer *peer); /* and what it has sent may still be read */
/* Reads exactly text from the peer's end. */
void peer_gets(struct peer *peer, const char *text);

/* Awaits a read and asserts that it gives text. */
#define assert_reads(future, text) check_reads((future), (text), __FILE__, __LINE__)
void check_reads(aloop_future *future, const char *text, const char *file, int line);

/* A plain socket connected to a port of this machine; -1 and errno if not. */
int plain_connection(int port);

#endif
