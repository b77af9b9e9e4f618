/* The standard library, whose files the build makes a part of the executable: it needs no folder of its own. */
#ifndef DRIVER_LIBRARY_H
#define DRIVER_LIBRARY_H

/* The text of "std/attention.lam", or NULL. */
const char *library_text(const char *path);

#endif
