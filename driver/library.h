/* The standard library. The build puts its files into the executable, which therefore needs no folder beside it. */
#ifndef DRIVER_LIBRARY_H
#define DRIVER_LIBRARY_H

/* Returns the text of a file such as "std/attention.lam", or NULL if there is no such file. */
const char *library_text(const char *path);

#endif
