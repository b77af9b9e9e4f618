/* Places in a text, for messages. */
#include "runtime/lines.h"

long long lam_line_of(const char *text, size_t offset) {
  long long line = 1;
  for (size_t i = 0; i < offset; i++) line += text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n');
  return line;
}
