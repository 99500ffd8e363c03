/*
 * free_ports N - prints N TCP ports of 127.0.0.1 that were free a moment ago
 *
 * They lie below those that the kernel gives to connections that are made, so that they stay free
 * while a server is down; all N are bound at the same time, so that they differ.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 10000, COUNT = 20000 };

/* Binds one and keeps it; 0: none is to be had. */
static int take_port (void)
{
    static unsigned tried;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    while (fd >= 0 && tried < COUNT) {
        int port = (int) (FIRST + ((unsigned) getpid () * 64 + tried++) % COUNT);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons (port)};
        address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
        if (bind (fd, (struct sockaddr *) &address, sizeof address) == 0) {
            return port;
        }
        if (errno != EADDRINUSE) {
            break;
        }
    }
    return 0;
}

int main (int argc, char **argv)
{
    long count = argc == 2 ? strtol (argv[1], NULL, 10) : 0;
    if (count < 1 || count > 100) {
        fprintf (stderr, "usage: free_ports N\n");
        return 2;
    }
    for (long i = 0; i < count; i++) {
        int port = take_port ();
        if (port == 0) {
            perror ("free_ports");
            return 1;
        }
        printf ("%d\n", port);
    }
    return 0;
}
