/* Growable source text: lines at an indentation, wrapped to 120 columns the way a person would break them. */
#ifndef CODEGEN_TEXT_H
#define CODEGEN_TEXT_H

#include "ir/arena.h"

enum { TEXT_COLUMNS = 120 };

struct text {
  struct arena *arena;
  char *bytes; /* zero-terminated once something was added; read it through text_string */
  size_t length, capacity;
  int indentation; /* in levels of two spaces */
};

struct text *text_new(struct arena *arena);
/* Everything written so far. */
const char *text_string(const struct text *text);
/* Adds bytes as they are, without indentation and wrapping. */
void text_raw(struct text *text, const char *bytes);
/* Adds one line of code at the present indentation, and the newline. A line that is too long is broken after a comma or
   before an operator, at the place that is least nested; its continuation is indented four columns more. */
void text_line(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds a comment in words, wrapped, between "/" "*" and "*" "/". */
void text_comment(struct text *text, const char *comment);
void text_blank(struct text *text);
/* text_open adds a line that ends in "{" and raises the indentation; text_close lowers it and adds "}". */
void text_open(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_close(struct text *text);

#endif
