/* Environment variables. A compiler that runs with more rights than its caller ignores all of them. */
#ifndef IR_ENVIRONMENT_H
#define IR_ENVIRONMENT_H

#include <stdlib.h>
#include <unistd.h>

#ifdef LAMELLA_SECURE_GETENV /* POSIX does not have it, and headers hide it */
extern char *secure_getenv(const char *name);
static inline const char *environment(const char *name) { return secure_getenv(name); }
#else
static inline const char *environment(const char *name) {
  return getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
}
#endif

#endif
