/* Training under `lamella run --watch`: the spec may change while a run goes on. Two processes take part in a change, and the one
   that watches conducts them. The program of the edited spec gets everything ready, says so, and waits; then the running program
   stops after its step with a checkpoint, as for Ctrl-C; then the new one goes on from what still fits. So nothing is given up
   before the new program could begin, and where weights go is always the newest state. */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What LAMELLA_HANDOVER says: the descriptors to read orders from, to report to, and to send messages to from then on. */
static bool lam_handover_descriptors(int descriptors[3]) {
  const char *text = lam_environment("LAMELLA_HANDOVER");
  return text && sscanf(text, "%d:%d:%d", &descriptors[0], &descriptors[1], &descriptors[2]) == 3;
}

bool lam_handover_waits(void) { return lam_environment("LAMELLA_HANDOVER") != NULL; }

enum lam_order lam_handover_ready(const char *path) {
  int descriptors[3];
  char order = 0;
  ssize_t count;
  if (!lam_handover_descriptors(descriptors)) return LAM_ORDER_BEGIN;
  if (dprintf(descriptors[1], "out %s\nready\n", path) < 0) return LAM_ORDER_STOP;
  /* A signal waits: the order may be to go on, and then what was handed over is this program's to save. */
  do count = read(descriptors[0], &order, 1);
  while (count < 0 && errno == EINTR);
  close(descriptors[0]);
  dup2(descriptors[2], STDERR_FILENO);
  close(descriptors[2]);
  return count == 1 ? (enum lam_order)order : LAM_ORDER_STOP;
}

void lam_handover_refused(void) {
  int descriptors[3];
  if (lam_handover_descriptors(descriptors) && write(descriptors[1], "refused\n", 8) != 8)
    lam_note("nobody watches any more: %s", strerror(errno));
}

bool lam_take_over(struct lam_program *program, struct lam_run *run, const char *path, bool *same_facts) {
  struct lam_pairs now = run->facts;
  run->facts = (struct lam_pairs){0};
  bool good = lam_checkpoint_load(program, run, path, LAM_GO_ON);
  *same_facts = true;
  for (int64_t i = 0; i < run->facts.count; i++) {
    const struct lam_pair *then = &run->facts.items[i], *fact = lam_pairs_find(&now, then->key);
    *same_facts &= fact && then->length == fact->length && !memcmp(then->value, fact->value, fact->length);
  }
  lam_pairs_free(*same_facts ? &run->facts : &now);
  if (*same_facts) run->facts = now;
  return good;
}
