// SPDX-License-Identifier: GPL-2.0
/* Deadlines, and waiting for a named condition until one passes. */
#include <poll.h>
#include <time.h>

#include "lib/deadline.h"
#include "lib/stop.h"

#define NSEC_PER_SEC	1000000000LL
#define NSEC_PER_MSEC	1000000LL
#define WAIT_STEP_MS	20

double deadline_scale = 1.0;

s64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

struct deadline deadline_at(s64 start_ns, double seconds)
{
	double scaled = seconds * deadline_scale;

	return (struct deadline) {
		.end_ns = start_ns + (s64)(scaled * NSEC_PER_SEC),
		.seconds = scaled,
	};
}

struct deadline deadline_in(double seconds)
{
	return deadline_at(now_ns(), seconds);
}

s64 deadline_left_ns(const struct deadline *d, s64 now)
{
	return now < d->end_ns ? d->end_ns - now : 0;
}

/* Rounded up, so that a poll() with it never wakes before the deadline. */
int deadline_poll_ms(const struct deadline *d, s64 now, int at_most_ms)
{
	s64 left = deadline_left_ns(d, now);
	s64 ms = left / NSEC_PER_MSEC + !!(left % NSEC_PER_MSEC);

	return ms < at_most_ms ? ms : at_most_ms;
}

static void nap(int ms)
{
	struct pollfd stop = { .fd = stop_fd(), .events = POLLIN };

	poll(&stop, 1, ms);
}

int wait_until(bool (*holds)(void *arg), void *arg, double seconds,
	       struct failure *f)
{
	struct deadline d = deadline_in(seconds);

	while (!holds(arg)) {
		s64 now = now_ns();

		if (stop_seen())
			return got(f, "a signal to stop");
		if (!deadline_left_ns(&d, now))
			return got(f, "not within %.1f s", d.seconds);
		nap(deadline_poll_ms(&d, now, WAIT_STEP_MS));
	}
	return 0;
}
