// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU TCG plugin: counts a guest's instructions between two marks, by function.
 *
 *	-plugin insncount.so,functions=FILE,out=FILE[,sync=START:END]
 *
 * functions: one address in hex a line, ascending; each begins a function that
 * reaches to the next. out: a section is appended at every end mark:
 *
 *	section 1
 *	ffffffff81234560 96312
 *	...
 *	end 1
 *
 * with the functions that ran, by address, and their instructions. What lies
 * below the first address (user space) stands under address 0.
 *
 * sync: two addresses in hex. After a store to a device by an instruction from
 * START on and below END, the guest stands still until all of QEMU's threads
 * sleep: what the device has to do is then done, and the guest's next instruction
 * does not race with it. With -icount, the guest's time depends on that alone.
 *
 * A mark is a long NOP with a displacement that no compiler makes: 0f 1f 84 00
 * and "p2pB" (begin) or "p2pE" (end). The guest's user space executes it.
 *
 * Each instruction adds one to the counter of its function before it is executed.
 * Adding what a block of translated code has, when it begins, is no faster, and
 * wrong where a block is left: for an exception, and with -icount for each access
 * to a device, behind which the rest is translated again. Counters belong to
 * functions, not to blocks: blocks are translated again and again. A string
 * instruction counts once for each repetition in QEMU 7.2, and once for all of
 * them in QEMU 10 (but with -icount, for each again).
 *
 * One virtual CPU only: what others do between the marks is no part of the
 * workload's work, and version 1 of the interface has no counters for each CPU.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "qemu_plugin.h"
#include "sync.h"

#define MARK_SIZE	8
static const char begin_mark[MARK_SIZE] = { 0x0f, 0x1f, (char)0x84, 0, 'p', '2', 'p', 'B' };
static const char end_mark[MARK_SIZE] = { 0x0f, 0x1f, (char)0x84, 0, 'p', '2', 'p', 'E' };

static u64 *functions;	/* where each begins, ascending; [0] begins at 0 */
static size_t nr_functions;
static FILE *out;
static unsigned int sections;
static u64 sync_start, sync_end;

__attribute__((visibility("default"))) int qemu_plugin_version = QEMU_PLUGIN_VERSION;
__attribute__((visibility("default")))
int qemu_plugin_install(u64 id, const struct qemu_info *info, int argc, char **argv);

/* The last function that does not begin behind an address. */
static size_t function_at(u64 address)
{
	size_t low = 0, high = nr_functions;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (functions[middle] <= address)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void count_begin(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	memset(get_counters(), 0, nr_functions * sizeof(u64));
}

static void count_end(unsigned int vcpu, void *data)
{
	const u64 *count = get_counters();

	(void)vcpu;
	(void)data;
	fprintf(out, "section %u\n", ++sections);
	for (size_t i = 0; i < nr_functions; i++)
		if (count[i])
			fprintf(out, "%llx %llu\n", functions[i], count[i]);
	fprintf(out, "end %u\n", sections);
	fflush(out);
}

static void look_for_mark(struct qemu_plugin_insn *insn)
{
	char code[MARK_SIZE];

	if (qemu_plugin_insn_size(insn) != MARK_SIZE)
		return;
	copy_code(insn, code, MARK_SIZE);
	if (!memcmp(code, begin_mark, MARK_SIZE))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, count_begin,
						       QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if (!memcmp(code, end_mark, MARK_SIZE))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, count_end,
						       QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void stored(unsigned int vcpu, unsigned int info, u64 vaddr, void *data)
{
	const struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, vaddr);

	(void)vcpu;
	(void)data;
	if (where && qemu_plugin_hwaddr_is_io(where))
		wait_for_other_threads();
}

static void translated(u64 id, struct qemu_plugin_tb *tb)
{
	size_t nr = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		u64 address = qemu_plugin_insn_vaddr(insn);
		size_t function = function_at(address);

		count_instruction(insn, function);
		if (address >= sync_start && address < sync_end)
			qemu_plugin_register_vcpu_mem_cb(insn, stored, QEMU_PLUGIN_CB_NO_REGS,
							 QEMU_PLUGIN_MEM_W, NULL);
		if (function == 0)
			look_for_mark(insn);
	}
}

static int fail(const char *what, const char *detail)
{
	fprintf(stderr, "insncount: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	return -1;
}

static int add_function(u64 start)
{
	u64 *more;

	if (nr_functions && start <= functions[nr_functions - 1])
		return fail("functions=: the addresses must ascend", NULL);
	more = reallocarray(functions, nr_functions + 1, sizeof(*more));
	if (!more)
		return fail("no memory", NULL);
	functions = more;
	functions[nr_functions++] = start;
	return 0;
}

static int read_functions(const char *path)
{
	FILE *file = fopen(path, "r");
	u64 start;
	int ret = 0;

	if (!file)
		return fail(path, strerror(errno));
	nr_functions = 0;
	while (!ret && fscanf(file, "%llx", &start) == 1)
		ret = nr_functions || start == 0 || !add_function(0) ? add_function(start) : -1;
	if (!ret && !feof(file))
		ret = fail(path, "expected one address in hex a line");
	if (!ret && nr_functions < 2)
		ret = fail(path, "expected at least one address");
	fclose(file);
	return ret;
}

static int read_range(const char *text)
{
	int length = 0;

	if (sscanf(text, "%llx:%llx%n", &sync_start, &sync_end, &length) != 2 ||
	    text[length] || sync_start >= sync_end)
		return fail("sync=: expected two ascending addresses in hex, START:END", text);
	return 0;
}

static int take_option(const char *arg)
{
	if (!strncmp(arg, "functions=", 10))
		return read_functions(arg + 10);
	if (!strncmp(arg, "sync=", 5))
		return read_range(arg + 5);
	if (strncmp(arg, "out=", 4))
		return fail("unknown option (functions=FILE, out=FILE, sync=START:END)", arg);
	out = fopen(arg + 4, "a");
	return out ? 0 : fail(arg + 4, strerror(errno));
}

int qemu_plugin_install(u64 id, const struct qemu_info *info, int argc, char **argv)
{
	if (!info->system_emulation || info->system.max_vcpus != 1)
		return fail("counts one virtual CPU only: start QEMU with -smp 1", NULL);
	for (int i = 0; i < argc; i++)
		if (take_option(argv[i]))
			return -1;
	if (!functions || !out)
		return fail("functions=FILE and out=FILE are needed", NULL);
	if (!make_counters(nr_functions))
		return fail("no memory", NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
