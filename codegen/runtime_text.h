/* The files of runtime/ as strings, made by tools/embed at build time. */
#ifndef CODEGEN_RUNTIME_TEXT_H
#define CODEGEN_RUNTIME_TEXT_H

struct runtime_text {
  const char *name; /* "train.c" */
  const char *text;
};
extern const struct runtime_text runtime_texts[]; /* ends with a NULL name */

#endif
