/*
 * server/net/zap.h - which keys clients have
 *
 * libzmq tells a server the public key of a CURVE client only through an authenticator (ZeroMQ's
 * RFC 27): a REP socket of the context.  This one lets everybody in, for what a client may do is
 * said by access control lists, and hands the key on as the "User-Id" of what the client sends.
 * A context has one authenticator: where the application has its own, or another server of this
 * process was first, there is none here, and clients have no key.
 */
#ifndef SERVER_NET_ZAP_H
#define SERVER_NET_ZAP_H

#include <stdbool.h>

/* NULL: there is an authenticator already, or no socket is to be had. */
void *zap_open (void *context);
void zap_close (void **zap_p);

/* Answers what was asked; true: something was. */
bool zap_turn (void *zap);

#endif
