// SPDX-License-Identifier: GPL-2.0
/* A fixed number of direct I/Os, in batches, by Linux AIO. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "work/io.h"

#define STEP		"io"
#define PAGE		4096

/* fio moves within 64 MiB, too: what the disk keeps of it costs nothing new. */
#define REGION		(64 << 20)

/*
 * Whether neighbouring pages of the buffer are neighbours in memory, too,
 * decides how many segments an I/O has, and so what it costs; in each boot they
 * would be others. So it is one page throughout, which is not its own neighbour:
 * each page is a segment, as in memory that is fragmented.
 */
static char *buffer_alloc(u64 bytes)
{
	int fd = memfd_create("p2pagent-io", MFD_CLOEXEC);
	char *buffer = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	bool good = fd >= 0 && buffer != MAP_FAILED && !ftruncate(fd, PAGE);

	for (u64 at = 0; good && at < bytes; at += PAGE)
		good = mmap(buffer + at, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
			    0) != MAP_FAILED;
	if (fd >= 0)
		close(fd);
	if (good || buffer == MAP_FAILED)
		return good ? memset(buffer, 0x5a, bytes) : NULL;
	munmap(buffer, bytes);
	return NULL;
}

static int io_prepare(struct io *io, struct failure *f)
{
	u64 bytes;

	expect(f, STEP, "a disk of at least %d bytes", REGION);
	if (ioctl(io->fd, BLKGETSIZE64, &bytes))
		return got(f, "%s", strerror(errno));
	if (bytes < REGION)
		return got(f, "%llu", bytes);
	io->size = REGION / io->bs;
	expect(f, STEP, "memory for %llu blocks of %llu bytes", io->batch,
	       io->bs);
	io->bytes = (io->batch * io->bs + PAGE - 1) & -(u64)PAGE;
	io->buffer = buffer_alloc(io->bytes);
	if (!io->buffer)
		return got(f, "none");
	expect(f, STEP, "a context for AIO");
	if (syscall(SYS_io_setup, (unsigned int)io->batch, &io->context))
		return got(f, "%s", strerror(errno));
	return 0;
}

int io_open(struct io *io, const char *path, struct failure *f)
{
	expect(f, STEP, "to open %s for direct I/O", path);
	io->fd = open(path, (io->write ? O_RDWR : O_RDONLY) | O_DIRECT |
		      O_CLOEXEC);
	if (io->fd < 0)
		return got(f, "%s", strerror(errno));
	if (!io_prepare(io, f))
		return 0;
	io_close(io);
	return -1;
}

void io_close(struct io *io)
{
	if (io->context)
		syscall(SYS_io_destroy, io->context);
	if (io->buffer)
		munmap(io->buffer, io->bytes);
	close(io->fd);
	*io = (struct io) { .fd = -1 };
}

/* xorshift64*: the same blocks in each boot */
static u64 next_block(struct io *io)
{
	if (!io->random)
		return io->state++ % io->size;
	io->state ^= io->state >> 12;
	io->state ^= io->state << 25;
	io->state ^= io->state >> 27;
	return io->state * 0x2545f4914f6cdd1dull % io->size;
}

static void batch_fill(struct io *io, long batch, struct iocb *iocbs,
		       struct iocb **list)
{
	for (long i = 0; i < batch; i++) {
		list[i] = &iocbs[i];
		iocbs[i] = (struct iocb) {
			.aio_lio_opcode = io->write ? IOCB_CMD_PWRITE :
						      IOCB_CMD_PREAD,
			.aio_fildes = io->fd,
			.aio_buf = (unsigned long)io->buffer + i * io->bs,
			.aio_nbytes = io->bs,
			.aio_offset = next_block(io) * io->bs,
		};
	}
}

static int batch_submit(struct io *io, long batch, struct iocb **list,
			struct failure *f)
{
	long ret = syscall(SYS_io_submit, io->context, batch, list);
	int error = errno;

	if (ret == batch)
		return 0;
	expect(f, STEP, "%ld I/Os to be submitted", batch);
	return ret < 0 ? got(f, "%s", strerror(error)) : got(f, "%ld", ret);
}

/* Waits until some I/Os of the left ones are complete; how many, or -1 */
static long batch_reap(struct io *io, long left, s64 wait_ns,
		       struct failure *f)
{
	struct timespec wait = {
		.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000,
	};
	struct io_event events[IO_MAX_BATCH];
	long ret = syscall(SYS_io_getevents, io->context, 1, left, events, &wait);
	int error = errno;

	for (long i = 0; i < ret; i++) {
		if (events[i].res == (s64)io->bs)
			continue;
		expect(f, STEP, "I/Os of %llu bytes to complete", io->bs);
		return got(f, "one with result %lld", (s64)events[i].res);
	}
	if (ret > 0)
		return ret;
	expect(f, STEP, "%ld more I/Os of %llu bytes to complete", left, io->bs);
	return got(f, "%s", ret ? strerror(error) : "none in time");
}

/*
 * All that runs between the two readings of the clock is in the latencies: what
 * only a failure needs is left to the failure.
 */
static int batch_run(struct io *io, long batch, s64 *latency_ns,
		     const struct deadline *d, struct failure *f)
{
	struct iocb iocbs[IO_MAX_BATCH], *list[IO_MAX_BATCH];
	s64 submitted, now;
	long reaped;

	batch_fill(io, batch, iocbs, list);
	submitted = now_ns();
	now = submitted;
	if (batch_submit(io, batch, list, f))
		return -1;
	for (long left = batch; left; left -= reaped) {
		reaped = batch_reap(io, left, deadline_left_ns(d, now), f);
		if (reaped < 0)
			return -1;
		now = now_ns();
		for (long i = 0; latency_ns && i < reaped; i++)
			*latency_ns++ = now - submitted;
	}
	return 0;
}

int io_run(struct io *io, u64 count, s64 *latency_ns, const struct deadline *d,
	   struct failure *f)
{
	while (count) {
		u64 batch = count < io->batch ? count : io->batch;

		if (batch_run(io, batch, latency_ns, d, f))
			return -1;
		if (latency_ns)
			latency_ns += batch;
		count -= batch;
	}
	return 0;
}
