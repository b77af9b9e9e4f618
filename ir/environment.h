/* What the environment says. A compiler that runs with more rights than its caller has listens to nothing of it. */
#ifndef IR_ENVIRONMENT_H
#define IR_ENVIRONMENT_H

#include <stdlib.h>
#include <unistd.h>

#ifdef LAMELLA_SECURE_GETENV /* which POSIX has not, and headers hide */
extern char *secure_getenv(const char *name);
static inline const char *environment(const char *name) { return secure_getenv(name); }
#else
static inline const char *environment(const char *name) {
  return getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
}
#endif

#endif
