/* SPDX-License-Identifier: GPL-2.0 */
/* The channel to the harness: one JSON object per line, both ways. */
#ifndef P2PAGENT_CHANNEL_H
#define P2PAGENT_CHANNEL_H

#include <jansson.h>

#include "lib/types.h"

#define PROTOCOL_VERSION	1

void channel_open(int in, int out);
char *channel_read(void);	/* the next line, or NULL: the end, or a signal */
void channel_send(json_t *message);	/* steals the reference */
void channel_close(void);

/* The order that progress events belong to. */
void progress_of(json_t *id);
void progress(const char *step);

/* A JSON string of whatever bytes a program printed. */
json_t *json_text(const char *s, size_t len);

#endif
