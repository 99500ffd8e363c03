/*
 * server/node/error_text.h - names and texts of cohort/error.h, for log lines and messages
 *
 * The functions of that header belong to the client library; the server does without it.
 */
#ifndef SERVER_NODE_ERROR_TEXT_H
#define SERVER_NODE_ERROR_TEXT_H

/* Static; "COHORT_ENOMEM", "out of memory". */
const char *error_name (int code);
const char *error_text (int code);

#endif
