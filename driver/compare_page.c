/* Makes the page: a template (compare.html, whose script draws everything) with the data of --json in its middle. */
#include <stdlib.h>
#include <string.h>

#include "driver/compare.h"
#include "driver/page_text.h"

const char *report_page(const struct comparison *comparison, const char *data) {
  static const char mark[] = "@DATA@";
  const char *template = page_texts[0].text, *place = strstr(template, mark);
  if (!place) bug("the page has no place for data");
  char *page = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&page, &length);
  if (!file) bug("no memory for a page");
  fwrite(template, 1, (size_t)(place - template), file);
  /* Only strings in the data can have a '<'. It is escaped, so that it cannot end the script. */
  for (const char *at = data; *at; at++) {
    if (*at == '<')
      fputs("\\u003c", file);
    else
      fputc(*at, file);
  }
  fputs(place + strlen(mark), file);
  if (fclose(file) != 0) bug("no memory for a page");
  const char *kept = arena_copy(comparison->arena, page, length);
  free(page);
  return kept;
}
