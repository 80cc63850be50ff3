/* seeds.h: PROGRAM [RUNS [SEED]]: runs of one seed after the other, until ten are wrong.
 * SPDX-License-Identifier: MIT */
#ifndef ASYNCLOOP_TESTS_SEEDS_H
#define ASYNCLOOP_TESTS_SEEDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* run_one says what is wrong, and whether all is well. The status of main. */
static inline int run_seeds(int argc, char **argv, uint64_t runs, const char *what,
                            bool (*run_one)(uint64_t seed)) {
    if (argc > 1) runs = strtoull(argv[1], NULL, 10);
    const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    int wrong = 0;
    for (uint64_t seed = first; seed < first + runs && wrong < 10; seed++) wrong += !run_one(seed);
    printf("%llu %s, %d wrong\n", (unsigned long long)runs, what, wrong);
    return runs == 0 || wrong > 0;
}

#endif
