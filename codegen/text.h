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
/* Everything so far. */
const char *text_string(const struct text *text);
/* Bytes as they are: no indentation, no wrapping. */
void text_raw(struct text *text, const char *bytes);
/* One line of code at the present indentation, broken after commas and before operators where it is too long, at the place that
   is least nested; what follows the first line is indented four columns more. The newline is added. */
void text_line(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A comment in words, wrapped: "/" "* like this one *" "/". */
void text_comment(struct text *text, const char *comment);
void text_blank(struct text *text);
/* A line that ends in "{" and raises the indentation; a line "}" that lowers it. */
void text_open(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_close(struct text *text);

#endif
