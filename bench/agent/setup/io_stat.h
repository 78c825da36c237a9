/* SPDX-License-Identifier: GPL-2.0 */
/* The I/O counters of a disk. */
#ifndef P2PAGENT_IO_STAT_H
#define P2PAGENT_IO_STAT_H

#include "lib/failure.h"
#include "lib/types.h"

struct io_stat {
	u64 reads;
	u64 read_bytes;
	u64 writes;
	u64 write_bytes;
	u64 in_flight;
};

/* A line of /sys/class/block/<disk>/stat, added to what is in *io */
int io_stat_parse(const char *line, struct io_stat *io);

int io_stat_read(const char *disk, struct io_stat *io, struct failure *f);

/* A disk that is new: wait until the scan for partitions is over. */
int io_stat_settle(const char *disk, struct failure *f);

#endif
