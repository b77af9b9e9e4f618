/* save PATH...: saves a model into each, and prints what is wrong. */
#include "gpt.h"

#include <stdio.h>

int main(int count, char **paths) {
  struct gpt *m = gpt_create();
  int worst = !m || gpt_initialize(m, 1);
  for (int i = 1; !worst && i < count; i++)
    if ((worst = gpt_save(m, paths[i])) != GPT_OK) printf("%s\n", gpt_message(m));
  gpt_destroy(m);
  return worst;
}
