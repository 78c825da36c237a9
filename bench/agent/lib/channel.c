// SPDX-License-Identifier: GPL-2.0
/* The channel to the harness: one JSON object per line, both ways. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/stop.h"

#define IDLE_MS		500

static int in_fd = -1, out_fd = -1;
static char *pending;		/* bytes read, not yet a whole line */
static size_t pending_len, pending_room;
static json_t *current_id;

void channel_open(int in, int out)
{
	in_fd = in;
	out_fd = out;
}

/* The first whole line of what is pending, cut out of it; or NULL. */
static char *pending_line(void)
{
	char *newline = pending_len ? memchr(pending, '\n', pending_len) : NULL;
	size_t len;
	char *line;

	if (!newline)
		return NULL;
	len = newline - pending;
	line = strndup(pending, len);
	pending_len -= len + 1;
	memmove(pending, newline + 1, pending_len);
	return line;
}

static ssize_t pending_fill(void)
{
	ssize_t n;

	if (pending_room - pending_len < 4096) {
		char *more = realloc(pending, pending_room + 65536);

		if (!more)
			return -1;
		pending = more;
		pending_room += 65536;
	}
	n = read(in_fd, pending + pending_len, pending_room - pending_len);
	if (n > 0)
		pending_len += n;
	else if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	return n;
}

/* Between orders there is no child of ours: these are orphans of PID 1. */
static void reap_orphans(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

char *channel_read(void)
{
	struct pollfd fds[] = {
		{ .fd = in_fd, .events = POLLIN },
		{ .fd = stop_fd(), .events = POLLIN },
	};
	char *line;

	while (!(line = pending_line())) {
		if (stop_seen())
			return NULL;
		poll(fds, 2, IDLE_MS);
		if (getpid() == 1)
			reap_orphans();
		if (fds[0].revents && pending_fill() <= 0)
			return NULL;
	}
	return line;
}

static void write_all(const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(out_fd, s, len);
		struct pollfd p = { .fd = out_fd, .events = POLLOUT };

		if (n > 0) {
			s += n;
			len -= n;
		} else if (n < 0 && errno == EAGAIN) {
			poll(&p, 1, IDLE_MS);
		} else if (n < 0 && errno != EINTR) {
			return;		/* nobody reads: EOF comes next */
		}
	}
}

void channel_send(json_t *message)
{
	char *line = json_dumps(message, JSON_COMPACT);
	size_t len = line ? strlen(line) : 0;

	json_decref(message);
	if (!line)
		return;
	line[len] = '\n';		/* in the NUL's place: one write per line */
	write_all(line, len + 1);
	free(line);
}

void channel_close(void)
{
	free(pending);
	pending = NULL;
	pending_len = 0;
	pending_room = 0;
	progress_of(NULL);
}

void progress_of(json_t *id)
{
	json_decref(current_id);
	current_id = json_incref(id);
}

void progress(const char *step)
{
	if (current_id)
		channel_send(json_pack("{s:s, s:O, s:s}", "event", "progress",
				       "id", current_id, "step", step));
}

json_t *json_text(const char *s, size_t len)
{
	json_t *text;
	char *ascii;

	if (!len)
		return json_string("");
	text = json_stringn(s, len);
	if (text)
		return text;
	ascii = strndup(s, len);	/* no UTF-8: keep what is ASCII */
	for (char *p = ascii; p && *p; p++)
		if (*p & 0x80)
			*p = '?';
	text = json_string(ascii);
	free(ascii);
	return text;
}
