// SPDX-License-Identifier: GPL-2.0
/* What counts the kernel's instructions: marks for a plugin of QEMU, or the CPU. */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "work/instrument.h"

#define STEP	"instrument"

/*
 * nopl with a displacement that spells the mark: the plugin knows its bytes. On
 * other machines than x86-64 there is no plugin that would look for them.
 */
static void mark_begin(void)
{
#ifdef __x86_64__
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00; .ascii \"p2pB\"" ::: "memory");
#endif
}

static void mark_end(void)
{
#ifdef __x86_64__
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00; .ascii \"p2pE\"" ::: "memory");
#endif
}

/* What `perf stat -a -e instructions:k` opens: one counter for each CPU. */
static int perf_open(struct instrument *i, int cpu, struct failure *f)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED |
			       PERF_FORMAT_TOTAL_TIME_RUNNING,
		.disabled = 1,
		.exclude_user = 1,
		.exclude_hv = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1,
			 PERF_FLAG_FD_CLOEXEC);

	expect(f, STEP, "a counter of the kernel's instructions on CPU %d", cpu);
	if (fd < 0)
		return got(f, "%s", strerror(errno));
	i->fds[i->nr_fds++] = fd;
	return 0;
}

int instrument_open(struct instrument *i, const char *name, struct failure *f)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*i = (struct instrument) { .marks = !strcmp(name, "marks"), .count = -1 };
	if (strcmp(name, "perf"))
		return 0;
	expect(f, STEP, "at most %d CPUs", INSTRUMENT_MAX_CPUS);
	if (cpus > INSTRUMENT_MAX_CPUS)
		return got(f, "%ld", cpus);
	for (int cpu = 0; cpu < cpus; cpu++) {
		if (perf_open(i, cpu, f)) {
			instrument_close(i);
			return -1;
		}
	}
	return 0;
}

void instrument_begin(struct instrument *i)
{
	for (int n = 0; n < i->nr_fds; n++)
		ioctl(i->fds[n], PERF_EVENT_IOC_ENABLE, 0);
	if (i->marks)
		mark_begin();
}

/* A counter that shared the PMU with others has counted a part of the time. */
bool perf_reading_exact(const struct perf_reading *r)
{
	return r->running_ns && r->running_ns == r->enabled_ns;
}

static int perf_read_add(int fd, u64 *sum, struct failure *f)
{
	struct perf_reading r = { };

	expect(f, STEP, "a counter that ran all the time");
	if (read(fd, &r, sizeof(r)) != sizeof(r))
		return got(f, "%s", strerror(errno));
	if (!perf_reading_exact(&r))
		return got(f, "%llu of %llu ns: others use the PMU, too",
			   (unsigned long long)r.running_ns,
			   (unsigned long long)r.enabled_ns);
	*sum += r.value;
	return 0;
}

void instrument_end(struct instrument *i)
{
	if (i->marks)
		mark_end();
	for (int n = 0; n < i->nr_fds; n++)
		ioctl(i->fds[n], PERF_EVENT_IOC_DISABLE, 0);
}

int instrument_read(struct instrument *i, struct failure *f)
{
	u64 sum = 0;
	int ret = 0;

	for (int n = 0; n < i->nr_fds && !ret; n++)
		ret = perf_read_add(i->fds[n], &sum, f);
	if (!ret && i->nr_fds)
		i->count = sum;
	return ret;
}

void instrument_close(struct instrument *i)
{
	while (i->nr_fds)
		close(i->fds[--i->nr_fds]);
}
