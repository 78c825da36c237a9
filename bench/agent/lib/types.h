/* SPDX-License-Identifier: GPL-2.0 */
/* Types and macros of the kernel that user space lacks. */
#ifndef P2PAGENT_TYPES_H
#define P2PAGENT_TYPES_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned long long u64;
typedef long long s64;

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(fmt, args)	format(printf, fmt, args)
#define __printf(fmt, args)	__attribute__((PRINTF_LIKE(fmt, args)))

#endif
