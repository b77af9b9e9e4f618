/* Prints C constants and rows of tables, for the files that print tables. */
#include "codegen/emit_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const c_kind_constants[] = {"LAM_TYPE_REAL", "LAM_TYPE_INTEGER", "LAM_TYPE_BOOLEAN"};

const char *c_storage_constant(enum storage storage) {
  switch (storage) {
    case STORAGE_REAL:
    case STORAGE_F64:
    case STORAGE_F32:
      return "LAM_TYPE_REAL";
    case STORAGE_BF16:
      return "LAM_TYPE_BF16";
    case STORAGE_F16:
      return "LAM_TYPE_F16";
    case STORAGE_I32:
      return "LAM_TYPE_INTEGER";
    case STORAGE_I8:
      return "LAM_TYPE_I8";
    case STORAGE_U8:
      return "LAM_TYPE_U8";
    case STORAGE_I4:
      return "LAM_TYPE_I4";
    case STORAGE_U4:
      return "LAM_TYPE_U4";
    case STORAGE_BOOL:
      return "LAM_TYPE_BOOLEAN";
    case STORAGE_COUNT:
      break;
  }
  bug("storage %d", (int)storage);
}

const char *c_bytes(struct arena *arena, const char *bytes, size_t length) {
  char *copy = arena_alloc(arena, length * 4 + 3), *to = copy;
  *to++ = '"';
  for (const char *end = bytes + length; bytes < end; bytes++) {
    unsigned char c = (unsigned char)*bytes;
    if (c == '"' || c == '\\' || (c == '?' && to[-1] == '?')) /* "??/" would be a trigraph */
      *to++ = '\\', *to++ = (char)c;
    else if (c < 32 || c == 127)
      *to++ = '\\', *to++ = (char)('0' + c / 64), *to++ = (char)('0' + c / 8 % 8), *to++ = (char)('0' + c % 8);
    else
      *to++ = (char)c;
  }
  *to++ = '"';
  *to = 0;
  return copy;
}

const char *c_string(struct arena *arena, const char *text) {
  return text ? c_bytes(arena, text, strlen(text)) : "NULL";
}

const char *c_double(struct arena *arena, double x) {
  if (!isfinite(x)) return isnan(x) ? "NAN" : x > 0 ? "INFINITY" : "-INFINITY";
  for (int digits = 1; digits < 17; digits++) {
    const char *text = arena_format(arena, "%.*g", digits, x);
    if (strtod(text, NULL) == x) return text;
  }
  return arena_format(arena, "%.17g", x);
}

/* "{12, 64}"; "{0}" without axes. */
const char *c_shape(struct arena *arena, const char *name, struct axis *const *axes, int count) {
  if (count > MAX_RANK) bug("%s has %d axes: a program's tensors have %d at most", name, count, MAX_RANK);
  const char *list = count ? "" : "0";
  for (int i = 0; i < count; i++)
    list = arena_format(arena, "%s%s%lld", list, i ? ", " : "", (long long)axes[i]->extent);
  return arena_format(arena, "{%s}", list);
}

void rows_end(struct rows *rows) {
  if (rows->line) text_line(rows->text, "%s", rows->line);
  rows->line = NULL;
}

void rows_add(struct rows *rows, const char *row) {
  size_t room = (size_t)(TEXT_COLUMNS - 2 * rows->text->indentation);
  if (rows->line && strlen(rows->line) + strlen(row) + 1 > room) rows_end(rows);
  rows->line = rows->line ? arena_format(rows->text->arena, "%s %s", rows->line, row) : row;
}
