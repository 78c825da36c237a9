/* SPDX-License-Identifier: GPL-2.0 */
/* A seeded pattern that says where each byte belongs, carried end to end. */
#ifndef P2PAGENT_PATTERN_H
#define P2PAGENT_PATTERN_H

#include "lib/types.h"

/* The bytes that belong to [offset, offset + len); both multiples of 8. */
void pattern_fill(void *buf, size_t len, u64 seed, u64 offset);
/* Where buf differs first, from its beginning; len: nowhere. */
size_t pattern_differs(const void *buf, size_t len, u64 seed,
		       u64 offset);

#endif
