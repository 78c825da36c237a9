// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "work/settle.h"

/* The random numbers' key is made anew when it is due and some are asked for. */
static void new_random_key(void)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	ioctl(fd, RNDRESEEDCRNG);
	close(fd);
}

/*
 * The files that were read for the evidence are freed a grace period later. This
 * waits for one, by a callback that comes behind theirs.
 */
static void free_what_was_closed(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void settle(void)
{
	new_random_key();
	free_what_was_closed();
}
