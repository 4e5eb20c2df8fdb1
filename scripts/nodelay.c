/* Preloaded into the S3 server for tests. It writes an answer in two parts without TCP_NODELAY, so each one waits 40 ms for
   the client's delayed acknowledgement (RFC 896 and RFC 1122, 4.2.3.2). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
  int (*next)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");
  int connection = next(listener, address, length, flags), on = 1;
  if (connection >= 0) setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connection;
}
