// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into p2pagent by the tests: an ordinary file plays a disk. It has a
 * size as a disk has, and takes direct I/O on any file system. With FAKE_IO_NS
 * in the environment, below a second, that time passes before each completion is
 * seen, and they are seen one by one.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int open(const char *path, int flags, ...)
{
	int (*real)(const char *path, int flags, ...) = dlsym(RTLD_NEXT, "open");
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return real(path, flags & ~O_DIRECT, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int fd, unsigned long request, ...) = dlsym(RTLD_NEXT, "ioctl");
	struct stat st;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request != BLKGETSIZE64 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return real(fd, request, arg);
	*(unsigned long long *)arg = st.st_size;
	return 0;
}

/* As io_getevents() waits: not longer than asked. True: a completion is there. */
static bool wait_for_io(const struct timespec *most)
{
	const char *ns = getenv("FAKE_IO_NS");
	struct timespec wait = { .tv_nsec = ns ? atol(ns) : 0 };
	bool in_time = most->tv_sec || wait.tv_nsec <= most->tv_nsec;

	nanosleep(in_time ? &wait : most, NULL);
	return in_time;
}

/* The real one takes what is not given, too, and leaves it alone. */
long syscall(long number, ...)
{
	long (*real)(long number, ...) = dlsym(RTLD_NEXT, "syscall");
	long args[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_io_getevents && getenv("FAKE_IO_NS")) {
		if (!wait_for_io((struct timespec *)args[4]))
			return 0;
		args[2] = 1;
	}
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
