/*
 * free_ports N - prints N TCP ports of 127.0.0.1 that were free a moment ago
 *
 * The kernel chooses; all N are bound at the same time, so that they differ.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main (int argc, char **argv)
{
    long count = argc == 2 ? strtol (argv[1], NULL, 10) : 0;
    if (count < 1 || count > 100) {
        fprintf (stderr, "usage: free_ports N\n");
        return 2;
    }
    for (long i = 0; i < count; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET};
        socklen_t size = sizeof address;
        address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
        int fd = socket (AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || bind (fd, (struct sockaddr *) &address, size) != 0 ||
            getsockname (fd, (struct sockaddr *) &address, &size) != 0) {
            perror ("free_ports");
            return 1;
        }
        printf ("%d\n", ntohs (address.sin_port));
    }
    return 0;
}
