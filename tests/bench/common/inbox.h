// What the users of libuv, libevent and libev write to post callbacks: a list under a mutex,
// emptied in one go. The loop is to be woken only by the push that finds the list empty.
//
// SPDX-License-Identifier: MIT
#ifndef INBOX_H
#define INBOX_H

#include <pthread.h>

#include "bench.h"

typedef struct inbox_node inbox_node;
struct inbox_node {
    inbox_node *next;
    void (*fn)(void);
};

typedef struct {
    pthread_mutex_t mutex;
    inbox_node *head, *last;
} inbox;

// Memory for n posts, its pages there before a clock runs.
static inline inbox_node *inbox_nodes(size_t n) {
    return (inbox_node *)memset(must(malloc(n * sizeof(inbox_node))), 1, n * sizeof(inbox_node));
}

// True when the loop has to be woken.
static inline int inbox_push(inbox *box, inbox_node *node, void (*fn)(void)) {
    node->fn = fn;
    node->next = NULL;
    pthread_mutex_lock(&box->mutex);
    int was_empty = !box->head;
    if (was_empty)
        box->head = node;
    else
        box->last->next = node;
    box->last = node;
    pthread_mutex_unlock(&box->mutex);
    return was_empty;
}

static inline void inbox_run(inbox *box) {
    pthread_mutex_lock(&box->mutex);
    inbox_node *node = box->head;
    box->head = NULL;
    pthread_mutex_unlock(&box->mutex);
    for (; node; node = node->next) node->fn();
}

#endif
