/*
 * server/net/endpoint.h - what an endpoint to listen on must look like
 *
 * libzmq takes the port of an endpoint modulo 65536: tcp://127.0.0.1:70000 listens on 4464.  So
 * an endpoint is looked at before libzmq sees it.
 *
 * May include: libc only.
 */
#ifndef SERVER_NET_ENDPOINT_H
#define SERVER_NET_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

/* The first `size` bytes of text are tcp://HOST:PORT with a port from 0 to 65535, or '*' for a
 * free one; or what is behind ipc:// or inproc://, which is not empty. */
bool endpoint_is_sound (const char *text, size_t size);

#endif
