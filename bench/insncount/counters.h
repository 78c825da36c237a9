/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What versions of QEMU's interface do differently: where the counters of its
 * one virtual CPU lie, and how an instruction's bytes are read.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

#if API == 1

static u64 *counters;

static inline bool make_counters(size_t nr)
{
	counters = calloc(nr, sizeof(*counters));
	return counters;
}

/* The counters, to be read and cleared while the guest runs. */
static inline u64 *get_counters(void)
{
	return counters;
}

/* An instruction adds one to a counter before it is executed. */
static inline void count_instruction(struct qemu_plugin_insn *insn, size_t counter)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
						   &counters[counter], 1);
}

static inline void copy_code(const struct qemu_plugin_insn *insn, void *to, size_t size)
{
	memcpy(to, qemu_plugin_insn_data(insn), size);
}

#else

/* All counters are one element: a CPU's elements lie in one piece, in their order. */
static struct qemu_plugin_scoreboard *counters;

static inline bool make_counters(size_t nr)
{
	counters = qemu_plugin_scoreboard_new(nr * sizeof(u64));
	return counters;
}

static inline u64 *get_counters(void)
{
	return qemu_plugin_scoreboard_find(counters, 0);
}

static inline void count_instruction(struct qemu_plugin_insn *insn, size_t counter)
{
	struct qemu_plugin_u64 entry = { counters, counter * sizeof(u64) };

	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, QEMU_PLUGIN_INLINE_ADD_U64,
							    entry, 1);
}

static inline void copy_code(const struct qemu_plugin_insn *insn, void *to, size_t size)
{
	qemu_plugin_insn_data(insn, to, size);
}

#endif
#endif
