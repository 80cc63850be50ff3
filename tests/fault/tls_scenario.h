/*
 * tls_scenario.h: a program that talks to itself over TLS, for the fault tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_TLS_SCENARIO_H
#define TESTS_FAULT_TLS_SCENARIO_H

#include <asyncloop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the certificate, once; before anything is made to fail. */
void prepare_tls(void);
void clean_up_tls(void);
/* The main coroutine: contexts, a server, a client, an upgrade, a close in order.
 * Ends with 0, or what went wrong, within a few seconds. */
int64_t talk_over_tls(void *unused, void **value);

#ifdef __cplusplus
}
#endif

#endif
