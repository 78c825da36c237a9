/* SPDX-License-Identifier: GPL-2.0 */
/* A fixed number of direct I/Os, in batches, by Linux AIO. */
#ifndef P2PAGENT_IO_H
#define P2PAGENT_IO_H

#include <linux/aio_abi.h>

#include "lib/deadline.h"
#include "lib/failure.h"
#include "lib/types.h"

#define IO_MAX_BATCH	64

struct io {
	int fd;
	aio_context_t context;
	char *buffer;
	u64 bytes;		/* of the buffer */
	u64 size;		/* of the disk, in blocks of bs */
	u64 bs;
	u64 batch;		/* I/Os that are submitted at once */
	bool write;
	bool random;
	u64 state;		/* of the generator, or the next block */
};

int io_open(struct io *io, const char *path, struct failure *f);
/*
 * Submits a batch and waits for all of it, until there were count I/Os. Each is
 * reaped as it completes. latency_ns: room for count times, from before the
 * submission of the batch until the I/O is reaped; or NULL.
 */
int io_run(struct io *io, u64 count, s64 *latency_ns, const struct deadline *d,
	   struct failure *f);
void io_close(struct io *io);

#endif
